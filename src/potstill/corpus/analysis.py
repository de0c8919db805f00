"""The protocol of an analyzer: a text's tokens, each with its tag and span, and its language's rules for new text.

Knows no language: the rules of each are in its analyzer.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import ClassVar, NamedTuple, Protocol

from tokenizers.normalizers import Normalizer
from tokenizers.pre_tokenizers import PreTokenizer

from potstill.corpus.words import text_normalizer, word_splitter
from potstill.errors import PotstillError


class Token(NamedTuple):
    """A word or a morpheme of a text.

    :param form: the word as the student reads it; a morpheme in its own form, such as ``하`` and ``았`` of ``했``.
    :param tag: its part of speech; ``""`` where there is none.
    :param start: its span in the text is ``text[start:end]``; the spans of neighbours may overlap.
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
    """The version of its library and model, on which its tokens depend; None: the cache does not keep them."""

    extra: ClassVar[str] = ""
    """The extra of the package ``potstill`` that installs its library; empty where it needs none."""
    packages: ClassVar[tuple[str, ...]] = ()
    """The packages on which its tokens depend; a run records their versions."""
    agglutinative: ClassVar[bool] = False
    """Whether its language attaches grammar to words. If so, a changed word keeps the spacing of the word that it
    replaces. If not, spaces separate it from its neighbours, so that splitting the new text gives the sampled words."""
    kept_tags: ClassVar[tuple[str, ...]] = ()
    """Prefixes of the tags whose words are never replaced: grammar, which no other word can replace."""

    def __init__(self, model: str = "") -> None: ...

    def __call__(self, texts: Sequence[str]) -> Iterator[list[Token]]:
        """The tokens of each text, in the order of the texts. They do not depend on the other texts."""

    @classmethod
    def language(cls, model: str = "") -> str | None:
        """The ISO 639-1 code of the language that a model reads; None where it is unknown. Loads nothing."""
        return None

    def normalize(self, text: str) -> str:
        """A text in the form that analyzers and students know; the tokens' spans refer to this form."""
        return str(_normalizer().normalize_str(text))

    def replacement_key(self, tokens: Sequence[Token], word: str) -> str:
        """The key of a word: words of one key may replace each other; a word with the key ``""`` is never replaced.

        Tokens that share characters with the word's first one stay, so they are part of the key.

        :param tokens: of the word: one, or several where they share characters.
        :param word: as it is written.
        """
        first, *rest = tokens
        if not first.tag or first.tag.startswith(self.kept_tags):
            return ""
        return "+".join([first.tag, *(f"{token.form}/{token.tag}" for token in rest)])


@cache
def _splitter() -> PreTokenizer:
    return word_splitter()


@cache
def _normalizer() -> Normalizer:
    return text_normalizer(lower=False)


def split_words(text: str) -> list[Token]:
    """The words of a text, as a student's tokenizer splits it, without tags."""
    return [Token(word, "", start, end) for word, (start, end) in _splitter().pre_tokenize_str(text)]


def fill_gaps(text: str, tokens: Sequence[Token]) -> list[Token]:
    """Add the parts of a text that an analyzer has left out, as words without a tag: no part of the text is lost."""
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
