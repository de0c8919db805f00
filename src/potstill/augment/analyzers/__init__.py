"""The analyzers by name, made by their factory from what follows the colon in ``--analyzer=spacy:en_core_web_md``."""

from collections.abc import Callable

from potstill.augment.analyzers.spacy import SpacyAnalyzer
from potstill.augment.analyzers.whitespace import WhitespaceAnalyzer
from potstill.corpus.analysis import Analyzer
from potstill.errors import PotstillError, unknown_name
from potstill.morphology import MORPHOLOGIES

ANALYZERS: dict[str, Callable[[str], Analyzer]] = {
    "spacy": SpacyAnalyzer,
    "whitespace": WhitespaceAnalyzer,
    **MORPHOLOGIES,
}


def make_analyzer(name: str) -> Analyzer:
    """The analyzer of a name such as ``spacy``, ``spacy:en_core_web_md`` or ``kiwi``.

    :raises PotstillError: listing the names when there is none, or saying what to install.
    """
    kind, _, model = name.partition(":")
    if kind == "npc":
        raise PotstillError(
            f"the analyzer 'npc' is its authors' own and not public: choose one of {', '.join(sorted(ANALYZERS))}"
        )
    if kind not in ANALYZERS:
        raise unknown_name("analyzer", kind, list(ANALYZERS))
    return ANALYZERS[kind](model)
