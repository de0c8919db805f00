"""The analyzers by name: each splits texts into words and tags them.

An analyzer is a function ``analyze(texts) -> iterator of Analysis``, made by its factory in :data:`ANALYZERS`
from what follows the colon in ``--analyzer=spacy:en_core_web_md``.
"""

from collections.abc import Callable, Iterator, Sequence

from potstill.augment.analyzers.analysis import Analysis
from potstill.augment.analyzers.spacy import SpacyAnalyzer
from potstill.augment.analyzers.whitespace import WhitespaceAnalyzer
from potstill.errors import PotstillError, unknown_name

__all__ = ["ANALYZERS", "Analysis", "Analyzer", "make_analyzer"]

Analyzer = Callable[[Sequence[str]], Iterator[Analysis]]

ANALYZERS: dict[str, Callable[[str], Analyzer]] = {
    "spacy": SpacyAnalyzer,
    "whitespace": WhitespaceAnalyzer,
}


def make_analyzer(name: str) -> Analyzer:
    """The analyzer of a name such as ``spacy``, ``spacy:en_core_web_md`` or ``whitespace``.

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
