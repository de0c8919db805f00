"""benchmarks/portfolio.py: a set that is done is not done again, and what the table says."""

from pathlib import Path

import pytest

import portfolio
from portfolio import Options, Row, show
from potstill.artifacts import read_json


def row(name: str, student: float, **peers: float) -> Row:
    return Row(
        name=name, rows=10, labels=2, teacher=0.9, student=student, student_name="bilstm", ms=0.2, gold=0.7, peers=peers
    )


def test_the_table_has_the_gaps_and_on_how_many_sets_the_student_is_first() -> None:
    text = show([row("a", 0.89, tfidf=0.8), row("b", 0.85, tfidf=0.86, fasttext=0.5)])
    assert "mean gap 3.00 points, largest 5.00" in text
    assert "at least as good as every peer on 1 of 2 sets" in text
    assert text.splitlines()[0].split()[-3:] == ["tfidf", "fasttext", "minutes"]


def test_a_set_that_is_done_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[tuple[str, str]] = []

    def measure(name: str, source: str, options: Options) -> Row:
        measured.append((name, source))
        return row(name, 0.9)

    monkeypatch.setattr(portfolio, "measure", measure)
    options = Options(data=("one=there/x.csv", "data/two.csv"), teacher="t", out=tmp_path)
    portfolio.main(options)
    portfolio.main(options)
    assert measured == [("one", "there/x.csv"), ("two", "data/two.csv")]
    assert [each["name"] for each in read_json(tmp_path / "portfolio.json")["rows"]] == ["one", "two"]
    assert "one" in (tmp_path / "portfolio.md").read_text() and "mean gap 0.00" in capsys.readouterr().out
