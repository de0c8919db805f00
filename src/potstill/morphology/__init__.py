"""The morphological analyzers by name: text to morphemes, for a language whose words are too many to learn.

A language such as Korean attaches particles and endings to its words. A student that reads morphemes knows ``영화`` in
``영화는`` and ``영화도``. The libraries are light, and loaded when an analyzer is made: augmentation and a deployed
student both use them.
"""

from collections.abc import Sequence

from potstill.corpus.analysis import Analyzer
from potstill.errors import unknown_name
from potstill.morphology.khaiii import KhaiiiAnalyzer
from potstill.morphology.kiwi import KiwiAnalyzer
from potstill.morphology.mecab import MecabAnalyzer
from potstill.morphology.morphemes import as_morphemes

MORPHOLOGIES: dict[str, type[Analyzer]] = {
    "khaiii": KhaiiiAnalyzer,
    "kiwi": KiwiAnalyzer,
    "mecab": MecabAnalyzer,
}


def is_morphological(name: str) -> bool:
    """Whether an analyzer of :data:`MORPHOLOGIES` is named: its tokens are morphemes, not a text's words."""
    return name.partition(":")[0] in MORPHOLOGIES


class MorphemeSplitter:
    """What a student does to raw texts before its tokenizer: their morphemes, divided by spaces.

    Pickled, it is the analyzer's name: a tokenizer that has one goes to other processes.

    :param name: in :data:`MORPHOLOGIES`.
    :raises PotstillError: when there is no such analyzer, or it is not installed.
    """

    # A student's config.json has the name. Training, evaluation, the runtime and transformers all split raw text by it,
    # so that there is one path from raw text to ids. A pretrained teacher reads natural text.
    def __init__(self, name: str) -> None:
        if name not in MORPHOLOGIES:
            raise unknown_name("morphological analyzer", name, list(MORPHOLOGIES))
        self._name = name
        self._analyzer = MORPHOLOGIES[name]()

    def __reduce__(self) -> tuple[type["MorphemeSplitter"], tuple[str]]:
        return MorphemeSplitter, (self._name,)

    def __call__(self, texts: Sequence[str]) -> list[str]:
        """Each text as its morphemes."""
        normalized = [self._analyzer.normalize(text) for text in texts]
        pairs = zip(normalized, self._analyzer(normalized), strict=True)
        return [" ".join(morpheme.form for morpheme in as_morphemes(text, tokens)) for text, tokens in pairs]
