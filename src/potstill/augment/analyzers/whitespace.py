"""White space and punctuation alone, no tags, any language: masking works, replacement does not."""

from collections.abc import Iterator, Sequence

from potstill.corpus.analysis import Analyzer, Token, refuse_model, split_words


class WhitespaceAnalyzer(Analyzer):
    """Splits as the student's tokenizer does and tags nothing.

    :param model: must be empty: there is none to choose.
    :raises PotstillError: when it is not.
    """

    version = None  # splitting is faster than a look-up in the cache

    def __init__(self, model: str = "") -> None:
        refuse_model("whitespace", model)

    def __call__(self, texts: Sequence[str]) -> Iterator[list[Token]]:
        """The words of each text."""
        return map(split_words, texts)
