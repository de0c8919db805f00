"""What every analyzer of Korean shares: the Sejong tags of grammar, and how a word's last sound is found.

Korean attaches particles and endings to its words. A particle goes by the last sound of its word (영화는, 사람은), and
an ending may share a syllable with its verb (갔: 가, 았).
"""

from collections.abc import Sequence
from typing import ClassVar

from potstill.corpus.analysis import Analyzer, Token

_FIRST_SYLLABLE, _LAST_SYLLABLE = 0xAC00, 0xD7A3  # of Hangul in Unicode
_N_FINALS = 28  # every 28 syllables differ in their last sound alone; the first of them ends in a vowel
_FINAL_SOUNDS = {0: "", 8: ":l"}  # ㄹ is a case of its own: it takes 로 as a vowel does, but 은 as a consonant
_CONSONANT = ":c"


class KoreanAnalyzer(Analyzer):
    """An analyzer that tags Korean morphemes with the Sejong tags; a base of such analyzers."""

    extra = "korean"
    agglutinative = True
    # Endings, particles, auxiliary verbs and bound nouns: the sentence stays grammatical, only its content changes.
    kept_tags: ClassVar[tuple[str, ...]] = ("E", "J", "VX", "NNB")

    @classmethod
    def language(cls, model: str = "") -> str:
        """Korean."""
        return "ko"

    def replacement_key(self, tokens: Sequence[Token], word: str) -> str:
        """The tag, what shares a syllable with the word, and the sound that the particle behind it goes by.

        갔 (가/VV, 았/EP) gives way to 났, not to 갈; 영화 before 는 gives way to 배우, not to 사람.
        """
        key = super().replacement_key(tokens, word)
        return key and key + last_sound(word)


def last_sound(word: str) -> str:
    """How a word ends: ``":c"`` in a consonant, ``":l"`` in ㄹ, ``""`` in a vowel or in no syllable of Hangul."""
    code = ord(word[-1])
    if not _FIRST_SYLLABLE <= code <= _LAST_SYLLABLE:
        return ""
    return _FINAL_SOUNDS.get((code - _FIRST_SYLLABLE) % _N_FINALS, _CONSONANT)
