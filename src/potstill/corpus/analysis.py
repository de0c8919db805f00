"""What an analyzer gives: the tokens of a text, each with its tag and place, and what its language asks of new text.

Knows no language: what is special to one is in its analyzer.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import ClassVar, NamedTuple, Protocol

from tokenizers.pre_tokenizers import PreTokenizer

from potstill.corpus.words import word_splitter
from potstill.errors import PotstillError


class Token(NamedTuple):
    """A word or a morpheme of a text.

    :param form: as the student reads it; of a morpheme its own form, such as ``하`` and ``았`` of ``했``.
    :param tag: its part of speech; ``""`` where there is none.
    :param start: its place in the text is ``text[start:end]``; the places of neighbours may overlap.
    """

    form: str
    tag: str
    start: int
    end: int


class Analyzer(Protocol):
    """Splits texts into tokens, tags them, and says which words may replace which.

    An analyzer derives from this class and overrides what its language needs.

    :param model: what follows the colon in ``--analyzer=NAME:MODEL``; empty: the default.
    """

    version: str | None
    """What its tokens depend on besides the text; None where they are not worth keeping in the cache."""

    extra: ClassVar[str] = ""
    """The extra of the package ``potstill`` that installs its library; empty where it needs none."""
    agglutinative: ClassVar[bool] = False
    """Whether its language attaches grammar to words: a changed word then stays as close to its neighbours as the word
    was. Else it is set apart by spaces, so that splitting the new text gives back the sampled words."""
    kept_tags: ClassVar[tuple[str, ...]] = ()
    """How the tags begin whose words are never replaced: grammar, of which no other word can take the place."""

    def __init__(self, model: str = "") -> None: ...

    def __call__(self, texts: Sequence[str]) -> Iterator[list[Token]]:
        """The tokens of each text, in the texts' order; the same for a text alone and among others."""

    @classmethod
    def language(cls, model: str = "") -> str | None:
        """The ISO 639-1 code of the language that a model of its reads; None where it does not tell. Loads nothing."""
        return None

    def normalize(self, text: str) -> str:
        """A text in the form that the analyzer knows; the tokens' places are places in this one."""
        return text

    def replacement_key(self, tokens: Sequence[Token], word: str) -> str:
        """Words of one key may replace each other; with the key ``""`` a word is never replaced.

        What shares characters with a word stays, so it is part of the key.

        :param tokens: the word's: one, or several where they share characters.
        :param word: as it is written.
        """
        first, *rest = tokens
        if not first.tag or first.tag.startswith(self.kept_tags):
            return ""
        return "+".join([first.tag, *(f"{token.form}/{token.tag}" for token in rest)])


@cache
def _splitter() -> PreTokenizer:
    return word_splitter()


def split_words(text: str) -> list[Token]:
    """The words of a text, as a student's tokenizer splits it, without tags."""
    return [Token(word, "", start, end) for word, (start, end) in _splitter().pre_tokenize_str(text)]


def fill_gaps(text: str, tokens: Sequence[Token]) -> list[Token]:
    """The tokens, and as words without a tag what an analyzer has left out, so that no part of a text is lost."""
    filled, end = [], 0
    for token in [*tokens, Token("", "", len(text), len(text))]:
        if text[end : token.start].strip():
            words = split_words(text[end : token.start])
            filled += [Token(word.form, "", end + word.start, end + word.end) for word in words]
        filled.append(token)
        end = max(end, token.end)
    return filled[:-1]


def refuse_model(analyzer: str, model: str) -> None:
    """Check that an analyzer without models was not given one.

    :raises PotstillError: when it was.
    """
    if model:
        raise PotstillError(f"the analyzer {analyzer} takes no model, but was given '{model}'")
