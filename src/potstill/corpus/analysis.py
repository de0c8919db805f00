"""What an analyzer says of a text: its tokens, each with its part of speech and where in the text it stands."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple, Protocol

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
    """Splits texts into tokens and tags them."""

    @property
    def version(self) -> str | None:
        """What its tokens depend on besides the text; None where they are not worth keeping."""

    def __call__(self, texts: Sequence[str]) -> Iterator[list[Token]]:
        """The tokens of each text, in the texts' order; the same for a text alone and among others."""


@cache
def _splitter() -> PreTokenizer:
    return word_splitter()


def split_words(text: str) -> list[Token]:
    """The words of a text, as a student's tokenizer splits it, without tags."""
    return [Token(word, "", start, end) for word, (start, end) in _splitter().pre_tokenize_str(text)]


def fill_gaps(text: str, tokens: Sequence[Token]) -> list[Token]:
    """The tokens, and as words without a tag what an analyzer has left out, so that no part of a text is lost."""
    filled, at = [], 0
    for token in [*tokens, Token("", "", len(text), len(text))]:
        if text[at : token.start].strip():
            words = split_words(text[at : token.start])
            filled += [Token(word.form, "", at + word.start, at + word.end) for word in words]
        filled.append(token)
        at = max(at, token.end)
    return filled[:-1]


def refuse_model(analyzer: str, model: str) -> None:
    """Check that an analyzer without models was not given one.

    :raises PotstillError: when it was.
    """
    if model:
        raise PotstillError(f"the analyzer {analyzer} takes no model, but was given '{model}'")
