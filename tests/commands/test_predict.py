"""Predict: a line for a line, from files and pipes, in bounded memory."""

import gzip
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import potstill
from potstill.cli import main
from potstill.commands import predict as stage
from potstill.errors import PotstillError
from standins import write_student

TEXTS = ["a b c", "d", "e f a b c d e f", "f f", "b"]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights: a stand-in."""
    return write_student(tmp_path_factory.mktemp("student"), "ngram")


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def test_a_pipe_gives_a_label_a_line_and_nothing_else(
    student: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(monkeypatch, "\n".join(TEXTS).encode())
    main(["predict", str(student)])
    assert capsys.readouterr().out.splitlines() == potstill.load(student).predict(TEXTS).tolist()


def test_a_file_gives_a_file_with_probabilities(
    student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_LINES", 2)
    (tmp_path / "in.txt").write_bytes("\r\n".join(TEXTS).encode() + b"\r\n")
    main(["predict", str(student), f"--input={tmp_path / 'in.txt'}", f"--output={tmp_path / 'out.tsv'}", "--proba"])
    assert "5 lines labelled with no, yes sir" in capsys.readouterr().out
    rows = [line.split("\t") for line in (tmp_path / "out.tsv").read_text().splitlines()]
    classifier = potstill.load(student)
    assert [row[0] for row in rows] == classifier.predict(TEXTS).tolist()
    probabilities = np.array([[float(cell) for cell in row[1:]] for row in rows])
    np.testing.assert_allclose(probabilities, classifier.predict_proba(TEXTS), atol=1e-4)


def test_bad_lines_are_named_and_keep_their_place(
    student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.txt").write_bytes(b"a b\n\nc\n\xff\xfe\nd\n")
    with pytest.raises(SystemExit) as raised:
        main(["predict", str(student), f"--input={tmp_path / 'in.txt'}", f"--output={tmp_path / 'out'}", "--quiet"])
    printed = capsys.readouterr().err
    assert raised.value.code == 2 and printed.count("\n") == 1
    assert f"2 of 5 lines got an empty line instead of a label ({tmp_path / 'in.txt'}:2: no text" in printed
    assert f"{tmp_path / 'in.txt'}:4: not UTF-8)" in printed
    labels = (tmp_path / "out").read_text().split("\n")
    assert [bool(label) for label in labels] == [True, False, True, False, True, False]


def test_a_byte_order_mark_is_no_part_of_the_first_text(student: Path, tmp_path: Path) -> None:
    for name, mark in (("with", b"\xef\xbb\xbf"), ("without", b"")):
        (tmp_path / f"{name}.txt").write_bytes(mark + b"a b\nc\n")
        main(["predict", str(student), f"--input={tmp_path / f'{name}.txt'}", f"--output={tmp_path / name}", "--proba"])
    assert (tmp_path / "with").read_text() == (tmp_path / "without").read_text()


def test_a_text_that_the_model_cannot_take_loses_no_other_label(
    student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_LINES", 3)
    classifier = potstill.load(student)

    predict_proba = classifier.predict_proba

    def predict(texts: list[str]) -> Any:
        if "e" in texts:
            raise PotstillError("the model needs more than 4 GB of memory")
        return predict_proba(texts)

    monkeypatch.setattr(classifier, "predict_proba", predict)
    monkeypatch.setattr(stage, "load", lambda *_: classifier)
    (tmp_path / "in.txt").write_text("a\nb\nc\nd\ne\nf\n")
    with pytest.raises(SystemExit):
        main(["predict", str(student), f"--input={tmp_path / 'in.txt'}", f"--output={tmp_path / 'out'}"])
    assert f"1 of 6 lines got an empty line instead of a label ({tmp_path / 'in.txt'}:5: the model needs" in (
        capsys.readouterr().err
    )
    monkeypatch.undo()
    expected = [*classifier.predict(["a", "b", "c", "d"]), "", *classifier.predict(["f"])]
    assert (tmp_path / "out").read_text().splitlines() == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [("in.csv", 'text,label\n"a b, c",x\nd,y\n'), ("in.jsonl", '{"text": "a b, c"}\n{"text": "d"}\n')],
)
def test_a_table_has_its_texts_in_a_column(name: str, content: str, student: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    main(["predict", str(student), f"--input={tmp_path / name}", f"--output={tmp_path / 'out'}"])
    labels = potstill.load(student).predict(["a b, c", "d"])
    assert (tmp_path / "out").read_text().splitlines() == labels.tolist()


def test_a_row_without_a_text_loses_no_other_label(
    student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text("text,label\na,x\n,y\nb,z\n")
    with pytest.raises(SystemExit):
        main(["predict", str(student), f"--input={tmp_path / 'in.csv'}", f"--output={tmp_path / 'out'}"])
    assert f"1 of 3 lines got an empty line instead of a label ({tmp_path / 'in.csv'}:3: empty text" in (
        capsys.readouterr().err
    )
    first, last = potstill.load(student).predict(["a", "b"])
    assert (tmp_path / "out").read_text().splitlines() == [first, "", last]


def test_compressed_lines_keep_their_places(student: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt.gz").write_bytes(gzip.compress(b"a\n\nb\n"))
    with pytest.raises(SystemExit):
        main(["predict", str(student), f"--input={tmp_path / 'in.txt.gz'}", f"--output={tmp_path / 'out'}"])
    assert [bool(label) for label in (tmp_path / "out").read_text().splitlines()] == [True, False, True]


def test_texts_are_labelled_before_the_rest_is_read(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_LINES", 3)
    out = io.StringIO()
    ahead = []

    def lines() -> Iterator[bytes]:
        for number in range(30):
            ahead.append(number - out.getvalue().count("\n"))
            yield b"a b\n"

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=lines()))
    monkeypatch.setattr(sys, "stdout", out)
    result = stage.predict(stage.PredictOptions(student))
    assert result.n_lines == 30 and max(ahead) <= 3


def test_a_missing_file_is_named(student: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["predict", str(student), "--input=nowhere.txt"])
    assert "nowhere.txt: no such file" in capsys.readouterr().err


def test_it_predicts_on_as_many_threads_as_asked(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    def load(folder: Path, threads: int | None = None) -> potstill.Classifier:
        asked.append(threads)
        return potstill.load(folder, threads)

    monkeypatch.setattr(stage, "load", load)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    (tmp_path / "texts.txt").write_text("a b\n")
    stage.predict(stage.PredictOptions(student, input=tmp_path / "texts.txt", output=tmp_path / "labels.txt"))
    assert asked == [3]


def test_a_table_may_have_its_texts_in_a_column_of_any_name(student: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("review,text\na b,d\n")
    command = f"predict {student} --input={tmp_path / 'in.csv'} --output={tmp_path / 'out'} --proba"
    main([*command.split(), "--text_column=review"])
    first = (tmp_path / "out").read_text()
    (tmp_path / "in.csv").write_text("text\na b\n")
    main(command.split())
    assert (tmp_path / "out").read_text() == first


def test_pairs_may_be_in_columns_of_any_name(tmp_path: Path) -> None:
    student = write_student(tmp_path / "pairs", "ngram", ["no", "yes"], reads_pairs=True)
    (tmp_path / "in.csv").write_text("asked,answered,text\na b,c d,?\n")
    command = f"predict {student} --input={tmp_path / 'in.csv'} --output={tmp_path / 'out'} --proba"
    main([*command.split(), "--text_column=asked", "--text_pair_column=answered"])
    first = (tmp_path / "out").read_text()
    (tmp_path / "in.csv").write_text("text,text_pair\na b,c d\n")
    main(command.split())
    assert (tmp_path / "out").read_text() == first


def test_lines_have_no_column(student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.txt").write_text("a b\n")
    for source, name in ((str(tmp_path / "in.txt"), "in.txt"), ("-", "standard input")):
        with pytest.raises(SystemExit) as raised:
            main(["predict", str(student), f"--input={source}", "--text_column=review"])
        assert raised.value.code == 2
        assert f"{name}: has no columns, but --text_column names one" in capsys.readouterr().err
