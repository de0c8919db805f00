"""A text as augmentation sees it: words that may be replaced, and how the text is put back together."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from potstill.corpus.analysis import Token, fill_gaps
from potstill.morphology.morphemes import as_morphemes, keep_masks

Form = Literal["natural", "split"]

# Korean endings, particles, auxiliary verbs and bound nouns: grammar, which another word's place does not take.
# No other tag set here has tags that begin so.
_KEPT = ("E", "J", "VX", "NNB")
_SYLLABLES, _FINALS = (0xAC00, 0xD7A3), 28  # Hangul in Unicode: every 28 syllables differ in their last sound alone


@dataclass(frozen=True)
class Analysis:
    """The words of one text.

    :param words: what is masked, replaced and put back.
    :param tags: what may replace each: words of its tag; nothing where it is ``""``.
    :param spaces: whether white space follows the word; the text is put back together by it.
    :param glued: whether a changed word stays as close to its neighbours as the word was; else it is set apart.
    """

    words: list[str]
    tags: list[str]
    spaces: list[bool]
    glued: bool = False


def analyse(text: str, tokens: Sequence[Token], form: Form, glued: bool) -> Analysis:
    """Turn an analyzer's tokens into words that augmentation may change.

    :param form: ``natural`` keeps the text's spacing, and a word is what stands in the text (``했``); ``split``
        divides the forms of the tokens (``하``, ``았``) by spaces.
    :param glued: as :class:`Analysis` has it.
    """
    if form == "split":
        morphemes = as_morphemes(text, tokens)
        words = [morpheme.form for morpheme in morphemes]
        tags = [_replaceable([morpheme], morpheme.form) for morpheme in morphemes]
        return Analysis(words, tags, [True] * len(words), glued)
    pieces = _pieces(fill_gaps(text, keep_masks(text, tokens)))
    starts = [piece[0].start for piece in pieces] + [len(text) + 1]
    ends = [max(token.end for token in piece if token.start < token.end) for piece in pieces]
    words = [" ".join(text[start:end].split()) for start, end in zip(starts, ends, strict=False)]
    tags = [_replaceable(piece, word) for piece, word in zip(pieces, words, strict=True)]
    spaces = [end < after for end, (_, after) in zip(ends, pairwise(starts), strict=True)]
    return Analysis(words, tags, spaces, glued)


def _pieces(tokens: Sequence[Token]) -> list[list[Token]]:
    """Tokens that share a syllable together: 가 and 았 of 갔. One without a place goes with that before it."""
    pieces: list[list[Token]] = []
    end = 0
    for token in tokens:
        if pieces and (token.start < end or token.start == token.end):
            pieces[-1].append(token)
        elif token.start < token.end:
            pieces.append([token])
        end = max(end, token.end) if token.start < token.end else end
    return pieces


def _replaceable(piece: Sequence[Token], word: str) -> str:
    """The tag of words that may take a piece's place; ``""`` for none.

    What follows in the same syllable stays, so it is part of the tag: 갔 gives way to 났, not to 갈. So is whether
    a syllable ends in a consonant, or in ㄹ, which the particle or the ending behind it goes by: 영화는, 사람은.
    """
    first, *rest = piece
    if not first.tag or first.tag.startswith(_KEPT):
        return ""
    return "+".join([first.tag, *(f"{token.form}/{token.tag}" for token in rest)]) + _last_sound(word)


def _last_sound(word: str) -> str:
    first, last = _SYLLABLES
    if not first <= ord(word[-1]) <= last:
        return ""
    final = (ord(word[-1]) - first) % _FINALS
    return {0: "", 8: ":l"}.get(final, ":c")
