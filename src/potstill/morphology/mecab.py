"""Korean morphemes by MeCab-ko (https://github.com/jonghwanhyeon/python-mecab-ko)."""

from collections.abc import Iterator, Sequence
from typing import Any

from potstill.corpus.analysis import Token, refuse_model
from potstill.errors import require
from potstill.morphology.korean import KoreanAnalyzer

_LONGEST = 1000  # characters that MeCab-ko gets at once


class MecabAnalyzer(KoreanAnalyzer):
    """Morphemes as they are written in the text: ``했다`` is ``했 다``.

    :param model: must be empty: there is none to choose.
    :raises PotstillError: when it is not, or MeCab-ko is not installed.
    """

    packages = ("python-mecab-ko", "python-mecab-ko-dic")

    def __init__(self, model: str = "") -> None:
        refuse_model("mecab", model)
        require(self.extra, "mecab", "mecab_ko_dic")
        from importlib.metadata import version  # here: it is a tenth of the time of import potstill

        from mecab import MeCab

        self.version = "-".join(map(version, self.packages))
        self._mecab = MeCab()

    def __call__(self, texts: Sequence[str]) -> Iterator[list[Token]]:
        """The morphemes of each text."""
        for text in texts:
            yield [token for start, end in _sections(text) for token in self._parse(text[start:end], start)]

    def _parse(self, section: str, start: int) -> Iterator[Token]:
        for part in self._mecab.parse(section):
            yield Token(part.surface, _tag(part.feature), start + part.span.start, start + part.span.end)


def _sections(text: str) -> Iterator[tuple[int, int]]:
    """Where the parts of a text start and end, each without white space before it; long ones are cut at a space.

    MeCab-ko's time grows with the square of a text's length (122 seconds for 480,000 characters), it fails at a
    million, and its spans are too early where white space comes first.
    """
    start = 0
    while start < len(text):
        if text[start].isspace():
            start += 1
            continue
        end = min(len(text), start + _LONGEST)
        if end < len(text):
            space = text.rfind(" ", start, end)
            end = space if space > start else end
        yield start, end
        start = end


def _tag(feature: Any) -> str:
    """A morpheme's tag; of several in one syllable the first one's, then the others with their forms.

    ``했``, ``VV+EP``, is ``VV+았/EP``, so that only a verb in the same tense takes its place.
    """
    if "+" not in feature.pos or not feature.expression:  # 하/VV/*+았/EP/*
        return str(feature.pos)
    first, *rest = (part.rpartition("/")[0] for part in feature.expression.split("+"))
    return "+".join([first.rpartition("/")[2], *rest])
