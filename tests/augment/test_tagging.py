"""Analysing many texts: none twice, and the same whatever the processes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from potstill.augment import tagging
from potstill.augment.tagging import analyse_texts
from potstill.corpus.analysis import Analyzer, Token, split_words


class Counting(Analyzer):
    """Tags every word N, and remembers the texts that it was given: a stand-in."""

    version = "1"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Iterator[list[Token]]:
        self.seen += texts
        return ([word._replace(tag="N") for word in split_words(text)] for text in texts)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Counting:
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path))
    analyzer = Counting()
    monkeypatch.setattr(tagging, "_analyzer", lambda name: analyzer)
    return analyzer


def test_no_text_is_tagged_twice_in_one_call_or_another(counting: Counting) -> None:
    first = list(analyse_texts(["a film", "a film", "dull"], "counting"))
    assert counting.seen == ["a film", "dull"]
    again = list(analyse_texts(["dull", "new", "a film"], "counting"))
    assert counting.seen == ["a film", "dull", "new"]
    assert again[0] == first[2] and again[2] == first[0] == first[1]
    assert again[1].keys == ["N"]


def test_both_forms_come_from_one_tagging(counting: Counting) -> None:
    natural, split = (next(iter(analyse_texts(["it's"], "counting", form=form))) for form in ("natural", "split"))
    assert counting.seen == ["it's"]
    assert natural.spaces[0] is False and split.spaces == [True, True]


def test_texts_tagged_before_an_interruption_are_not_tagged_again(counting: Counting) -> None:
    texts = [f"film {number}" for number in range(1500)]
    analyses = analyse_texts(texts, "counting")
    next(analyses)
    analyses.close()  # type: ignore[attr-defined]
    assert len(counting.seen) == 1000
    list(analyse_texts(texts, "counting"))
    assert len(counting.seen) == 1500


def test_analyses_are_the_same_whatever_the_processes_and_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    texts = [f"{number}번 영화는 재밌었다" for number in range(2300)]
    runs = []
    for folder, processes in (("a", 1), ("b", 2), ("b", 2)):
        monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / folder))
        runs.append(list(analyse_texts(texts, "mecab", processes=processes)))
    assert runs[0] == runs[1] == runs[2]
    assert "".join(runs[0][7].words) == "7번영화는재밌었다"
