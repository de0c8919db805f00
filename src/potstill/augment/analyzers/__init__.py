"""The analyzers by name; each is made from what follows the colon in ``--analyzer=spacy:en_core_web_md``."""

import re
import unicodedata
from collections.abc import Sequence

from potstill.augment.analyzers.spacy import SpacyAnalyzer
from potstill.augment.analyzers.whitespace import WhitespaceAnalyzer
from potstill.corpus.analysis import Analyzer
from potstill.errors import PotstillError, unknown_name
from potstill.morphology import MORPHOLOGIES, is_morphological

ANALYZERS: dict[str, type[Analyzer]] = {
    "spacy": SpacyAnalyzer,
    "whitespace": WhitespaceAnalyzer,
    **MORPHOLOGIES,
}


_KOREAN = re.compile("[가-힣ㄱ-ㅣ]")
_SAMPLE = 2_000  # texts, about, spread over the data


def find_analyzer(texts: Sequence[str]) -> str:
    """The analyzer of texts' language: mecab where most letters are Korean, else spacy."""
    return "mecab" if _is_korean(texts) else "spacy"


def reads_language(name: str, texts: Sequence[str]) -> bool:
    """Whether texts may be in the language of a morphological analyzer, by their letters."""
    return analyzer_language(name) != "ko" or not is_morphological(name) or _is_korean(texts)


def _is_korean(texts: Sequence[str]) -> bool:
    sample = unicodedata.normalize("NFC", "".join(texts[:: max(1, len(texts) // _SAMPLE)]))
    return 2 * len(_KOREAN.findall(sample)) > sum(map(str.isalpha, sample))


def make_analyzer(name: str) -> Analyzer:
    """The analyzer of a name such as ``spacy``, ``spacy:en_core_web_md`` or ``kiwi``.

    :raises PotstillError: listing the names when there is none, or saying what to install.
    """
    kind, _, model = name.partition(":")
    return _find(kind)(model)


def analyzer_language(name: str) -> str | None:
    """The ISO 639-1 code of the language that an analyzer reads; None where it does not tell. Loads no model.

    :param name: as :func:`make_analyzer` takes it; the analyzer need not be installed.
    :raises PotstillError: listing the names when there is no such analyzer.
    """
    kind, _, model = name.partition(":")
    return _find(kind).language(model)


def _find(kind: str) -> type[Analyzer]:
    if kind == "npc":  # the recipe's published commands name it
        raise PotstillError(
            f"the analyzer 'npc' is its authors' own and not public: choose one of {', '.join(sorted(ANALYZERS))}"
        )
    if kind not in ANALYZERS:
        raise unknown_name("analyzer", kind, list(ANALYZERS))
    return ANALYZERS[kind]
