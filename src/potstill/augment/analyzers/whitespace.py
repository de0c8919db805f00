"""White space and punctuation alone, no tags, any language: masking works, replacement does not."""

from collections.abc import Iterator, Sequence

from potstill.augment.analyzers.analysis import Analysis, split_words
from potstill.errors import PotstillError


class WhitespaceAnalyzer:
    """Splits as the student's tokenizer does and tags nothing.

    :param model: must be empty: there is none to choose.
    :raises PotstillError: when it is not.
    """

    def __init__(self, model: str = "") -> None:
        if model:
            raise PotstillError(f"the whitespace analyzer takes no model, but was given '{model}'")

    def __call__(self, texts: Sequence[str]) -> Iterator[Analysis]:
        """Analyse texts, in order."""
        for text in texts:
            words, spaces = split_words(text)
            yield Analysis(words, [""] * len(words), spaces)
