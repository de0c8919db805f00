"""Korean morphemes by khaiii (https://github.com/kakao/khaiii), the recipe's analyzer."""

import importlib.util
from collections.abc import Iterator, Sequence

from potstill.corpus.analysis import Token, refuse_model
from potstill.errors import PotstillError
from potstill.morphology.korean import KoreanAnalyzer


class KhaiiiAnalyzer(KoreanAnalyzer):
    """Morphemes in their own form: ``했다`` is ``하 았 다``.

    :param model: must be empty: there is none to choose.
    :raises PotstillError: when it is not, or khaiii is not installed.
    """

    def __init__(self, model: str = "") -> None:
        refuse_model("khaiii", model)
        if importlib.util.find_spec("khaiii") is None:
            raise PotstillError(
                "khaiii is not installed here, and pip does not bring it: build it as https://github.com/kakao/khaiii "
                "says, or choose --analyzer=kiwi or --analyzer=mecab (pip install 'potstill[korean]')"
            )
        from khaiii import KhaiiiApi

        self._khaiii = KhaiiiApi()
        self.version = str(self._khaiii.version())

    def __call__(self, texts: Sequence[str]) -> Iterator[list[Token]]:
        """The morphemes of each text."""
        for text in texts:
            words = self._khaiii.analyze(text) if text.strip() else []  # it refuses a text without words
            morphemes = [morpheme for word in words for morpheme in word.morphs]
            yield [Token(part.lex, part.tag, part.begin, part.begin + part.length) for part in morphemes]
