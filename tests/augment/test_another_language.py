"""A made-up analyzer of a language that is not Korean: nothing of Korean is assumed of it anywhere."""

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from potstill.augment import tagging
from potstill.augment.analyzers import ANALYZERS, analyzer_language
from potstill.augment.augmentation import augment, rewrite
from potstill.augment.sampling import Rules
from potstill.augment.tagging import analyse_texts
from potstill.corpus.analysis import Analyzer, Token, split_words
from potstill.morphology import MORPHOLOGIES, MorphemeSplitter, is_morphological
from potstill.reporting.card import find_language
from potstill.runs.options import DistillOptions

REPLACE = Rules(n_iter=60, p_mask=0, p_pos=1, p_ng=0)


class TurkishLike(Analyzer):
    """Each word has a stem, a noun, and where it ends in lar or da that suffix. Its tags begin as Sejong tags do."""

    version = None
    agglutinative = True
    kept_tags = ("SUFFIX",)

    @classmethod
    def language(cls, model: str = "") -> str:
        return "tr"

    def __call__(self, texts: Sequence[str]) -> Iterator[list[Token]]:
        for text in texts:
            yield [token for word in split_words(text) for token in self._split(word)]

    def _split(self, word: Token) -> list[Token]:
        for suffix in ("lar", "da"):
            if word.form.endswith(suffix) and word.form != suffix:
                middle = word.end - len(suffix)
                stem = Token(word.form[: -len(suffix)], "JN", word.start, middle)
                return [stem, Token(suffix, "SUFFIX", middle, word.end)]
        return [word._replace(tag="EX" if word.form.isalpha() else "")]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(MORPHOLOGIES, "turkish", TurkishLike)
    monkeypatch.setitem(ANALYZERS, "turkish", TurkishLike)
    yield
    tagging._analyzer.cache_clear()


def test_it_has_its_own_kept_tags() -> None:
    (text,) = analyse_texts(["kitaplar burada , guzel"], "turkish")
    assert dict(zip(text.words, text.keys, strict=True)) == {
        "kitap": "JN", "lar": "", "bura": "JN", "da": "", ",": "", "guzel": "EX"
    }  # fmt: skip


def test_a_changed_word_stays_attached_and_a_suffix_stays() -> None:
    new = {text for _, text, _ in augment(["kitaplar", "burada", "masalar"], REPLACE, analyzer="turkish")}
    assert new == {f"{stem}{suffix}" for stem in ("kitap", "bura", "masa") for suffix in ("lar", "da")}
    masked = {text for _, text, _ in augment(["kitaplar"], Rules(n_iter=60, p_mask=0.5), analyzer="turkish")}
    assert "[MASK]lar" in masked


def test_last_sounds_of_hangul_are_not_special() -> None:
    letters = unicodedata.normalize("NFD", "영화")
    assert rewrite([letters], Rules(), analyzer="turkish") == ["영화"]  # every analyzer gets composed text
    words = ["영화", "사람", "서울"]
    analysed = list(analyse_texts(words, "turkish"))
    assert [text.words for text in analysed] == [[word] for word in words]
    assert {key for text in analysed for key in text.keys} == {"EX"}


def test_students_read_its_morphemes() -> None:
    assert is_morphological("turkish")
    assert MorphemeSplitter("turkish")(["kitaplar burada"]) == ["kitap lar bura da"]
    assert (
        DistillOptions(data="data", out=Path("out"), teacher="teacher", analyzer="turkish").word_analyzer == "turkish"
    )


def test_its_language_is_the_cards() -> None:
    assert analyzer_language("turkish") == "tr"
    assert find_language({"analyzer": "turkish", "augment": False, "transfer": ["set"]}) == "tr"
