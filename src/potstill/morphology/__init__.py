"""The morphological analyzers by name: text to morphemes, for a language whose words are too many to learn.

A language such as Korean attaches particles and endings to its words. A student that reads morphemes knows ``영화`` in
``영화는`` and ``영화도``. The libraries are light, and loaded when an analyzer is made: augmentation and a deployed
student both use them.
"""

from collections.abc import Callable, Sequence

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


def morpheme_splitter(name: str) -> Callable[[Sequence[str]], list[str]]:
    """What a student does to raw texts before its tokenizer: their morphemes, divided by spaces.

    :param name: in :data:`MORPHOLOGIES`.
    :raises PotstillError: when there is no such analyzer, or it is not installed.
    """
    # A student's config.json has the name. Training, evaluation, the runtime and transformers all split raw text by it,
    # so that there is one path from raw text to ids. A pretrained teacher reads natural text.
    if name not in MORPHOLOGIES:
        raise unknown_name("morphological analyzer", name, list(MORPHOLOGIES))
    analyzer = MORPHOLOGIES[name]()

    def split(texts: Sequence[str]) -> list[str]:
        normalized = [analyzer.normalize(text) for text in texts]
        pairs = zip(normalized, analyzer(normalized), strict=True)
        return [" ".join(morpheme.form for morpheme in as_morphemes(text, tokens)) for text, tokens in pairs]

    return split
