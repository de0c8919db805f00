"""Korean morphemes by Kiwi (https://github.com/bab2min/kiwipiepy)."""

from collections.abc import Iterator, Sequence

from potstill.corpus.analysis import Token, refuse_model
from potstill.errors import require
from potstill.forks import keep_in_children
from potstill.morphology.korean import KoreanAnalyzer


class KiwiAnalyzer(KoreanAnalyzer):
    """Morphemes in their own form: ``했다`` is ``하 었 다``.

    :param model: must be empty: there is none to choose.
    :raises PotstillError: when it is not, or Kiwi is not installed.
    """

    packages = ("kiwipiepy", "kiwipiepy_model")

    def __init__(self, model: str = "") -> None:
        refuse_model("kiwi", model)
        require(self.extra, "kiwipiepy")
        from importlib.metadata import version  # here: it is a tenth of the time of import potstill

        from kiwipiepy import Kiwi

        self.version = "-".join(map(version, self.packages))
        self._kiwi = Kiwi(num_workers=1)  # several processes tag
        keep_in_children(self)  # a weak reference to what Kiwi itself is ends in a crash of the garbage collector

    def __call__(self, texts: Sequence[str]) -> Iterator[list[Token]]:
        """The morphemes of each text."""
        # Compatible jamo: an ending such as ㄴ다 in letters that people type and other analyzers write.
        # One text at a time: a list goes to Kiwi's own threads, which a child process has not. One is as fast.
        for text in texts:
            morphemes = self._kiwi.tokenize(text, compatible_jamo=True)
            yield [Token(morpheme.form, str(morpheme.tag), morpheme.start, morpheme.end) for morpheme in morphemes]
