"""Bench: every model in every precision is a row; the cascades follow from the probabilities."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import potstill
from potstill.artifacts import read_json
from potstill.cli import main
from potstill.commands import bench as stage
from potstill.commands.bench import BenchOptions, bench
from potstill.commands.export import ExportOptions, export
from potstill.corpus.columns import Columns
from potstill.corpus.examples import read_examples
from potstill.corpus.words import build_tokenizer
from potstill.errors import PotstillError
from potstill.evaluation.cascades import measure_cascades
from potstill.evaluation.labelled import Labelled
from potstill.export.onnx_files import save_model
from potstill.reporting.scatter import Point, draw_svg
from potstill.tasks import MULTI_LABEL
from potstill.training.fitting import new_student
from potstill.training.vocabulary import Vocabulary
from standins import write_reviews, write_student


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> Path:
    """Two students with random weights, one of them in two precisions: stand-ins."""
    folder = tmp_path_factory.mktemp("models")
    words = sorted({word for row in read_examples(tiny_data / "train.txt") for word in row.text.split()})
    table = np.random.default_rng(0).normal(size=(len(words) + 3, 16)).astype(np.float32)
    for seed, name in enumerate(("ngram", "cnn")):
        (folder / name).mkdir()
        vocabulary = Vocabulary(build_tokenizer(words, lower=True), table)
        save_model(*new_student(name, {}, vocabulary, ["0", "1"], embedding_trainable=True, seed=seed), folder / name)
    export(ExportOptions(folder / "ngram", int8=True, check=tiny_data, max_drop=100))
    return folder


def test_each_precision_is_a_row_and_each_mode_a_timing(models: Path, tiny_data: Path) -> None:
    table = bench(BenchOptions((models / "ngram", models / "cnn"), tiny_data, batch=(1, 4)))
    assert [(row.name, row.precision) for row in table.rows] == [("ngram", "fp32"), ("ngram", "int8"), ("cnn", "fp32")]
    for row in table.rows:
        assert [(timing.threads, timing.batch) for timing in row.timings[:2]] == [(1, 1), (1, 4)]
        assert all(0 < timing.p50_ms <= timing.p95_ms <= timing.p99_ms for timing in row.timings) and row.cascades == []
    test = read_examples(tiny_data / "test.txt")
    student = potstill.load(models / "cnn")
    right = student.predict([row.text for row in test]) == np.array([row.label for row in test], dtype=object)
    assert table.rows[2].accuracy == pytest.approx(right.mean())


@pytest.mark.parametrize(("threads", "measured"), [("1", [1]), ("3", [1, 3])])
def test_only_the_threads_that_were_asked_for_are_measured(
    models: Path, tiny_data: Path, threads: str, measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)  # as --threads does
    row = bench(BenchOptions((models / "cnn",), tiny_data, batch=(1,))).rows[0]
    assert [timing.threads for timing in row.timings] == measured


def test_on_one_thread_the_tokenizers_have_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    for threads, parallel in ((1, "false"), (2, "true")):
        with stage._tokenizer_threads(threads):
            assert os.environ["TOKENIZERS_PARALLELISM"] == parallel
    assert "TOKENIZERS_PARALLELISM" not in os.environ


def test_a_peer_is_a_row_of_one_thread_without_the_times_of_its_parts(
    models: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    students = (models / "cnn",)
    table = bench(BenchOptions(students, tiny_data, teacher=models / "ngram", peers=("tfidf",), batch=(1,)))
    peer = table.rows[-1]
    assert (peer.name, peer.precision, peer.cascades) == ("tfidf", "fp64", [])
    assert peer.accuracy == 1.0 and peer.megabytes > 0  # a grammar whose labels single words distinguish
    assert [(timing.threads, timing.tokenise_ms, timing.model_ms) for timing in peer.timings] == [(1, None, None)]
    assert [bool(row.cascades) for row in table.rows] == [True, False, False, False]
    assert "tfidf fp64    100.00" in str(table)


def entry(confidence: list[float], is_right: list[bool]) -> stage._Entry:
    return stage._Entry("m", "fp32", 1.0, {}, {}, np.array(is_right), np.array(confidence, dtype=np.float32))


def test_below_the_threshold_the_teacher_predicts() -> None:
    student = entry([0.99, 0.55, 0.65, 0.8], [True, False, True, True])
    teacher = entry([0.9] * 4, [False, True, True, True])
    cascades = measure_cascades(student.as_cascade_side(ms=1), teacher.as_cascade_side(ms=10))
    by = {cascade.threshold: cascade for cascade in cascades}
    assert (by[0.6].share, by[0.6].accuracy, by[0.6].mean_ms) == (0.25, 1.0, 3.5)
    assert (by[0.9].share, by[0.9].mean_ms) == (0.75, 8.5)
    assert by[0.9].accuracy == 1.0


def test_the_command_prints_both_tables_and_writes_json_and_plot(
    models: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["bench", str(models / "ngram"), f"--data={tiny_data}", f"--teacher={models / 'cnn'}", "--batch", "1"]
    main([*command, f"--out={tmp_path / 'out'}"])
    printed = capsys.readouterr().out
    assert "ngram int8" in printed and "a cascade of" in printed and "% to teacher" in printed
    rows = read_json(tmp_path / "out" / "bench.json")["rows"]
    assert [bool(row["cascades"]) for row in rows] == [True, True, False]
    assert rows[0]["timings"][0]["p50_ms"] > 0
    picture = ElementTree.parse(tmp_path / "out" / "bench.svg")
    assert len(picture.findall("{http://www.w3.org/2000/svg}circle")) == 3


@pytest.mark.parametrize("name", ["out/bench.json", "out/bench.svg", "out"])
def test_what_is_in_the_way_of_the_figures_is_named_before_anything_is_measured(
    name: str, models: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{}")
    monkeypatch.setattr(stage, "_time_all", None)
    with pytest.raises(PotstillError, match=rf"{name}: (exists and was not made|cannot write here)"):
        bench(BenchOptions((models / "cnn",), tiny_data, batch=(1,), out=tmp_path / "out"))
    assert (tmp_path / name).read_text() == "{}"


def test_in_the_plot_fast_is_left_and_accurate_is_up() -> None:
    root = ElementTree.fromstring(draw_svg([Point("a <b>", 0.05, 80), Point("c", 5, 90)], "accuracy"))
    slow_y, fast_y = (float(dot.get("cy", "")) for dot in reversed(root.findall("{*}circle")))
    fast_x, slow_x = (float(dot.get("cx", "")) for dot in root.findall("{*}circle"))
    assert fast_x < slow_x and slow_y < fast_y
    assert "a <b>" in [text.text for text in root.findall("{*}text")]


def test_a_model_that_cannot_be_measured_is_refused(models: Path, tiny_data: Path) -> None:
    with pytest.raises(PotstillError, match=r"nowhere: no config.json in it"):
        bench(BenchOptions((Path("nowhere"),), tiny_data, batch=(1,)))
    with pytest.raises(PotstillError, match="give at least one model"):
        BenchOptions((), tiny_data)
    with pytest.raises(PotstillError, match="--batch=32: test has 20 texts; give a smaller --batch"):
        bench(BenchOptions((models / "cnn",), tiny_data, batch=(64, 32)))


def test_batches_larger_than_test_are_left_out(models: Path, tiny_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = bench(BenchOptions((models / "ngram",), tiny_data))
    assert {time.batch for time in table.rows[0].timings} == {1}
    assert "--batch=32 is left out: test has 20 texts" in caplog.text


def test_the_data_may_have_columns_of_any_names(models: Path, tiny_data: Path, tmp_path: Path) -> None:
    columns = Columns("opinion", label_column="verdict")
    given = {"models": (models / "cnn",), "batch": (1,), "peers": ("tfidf",)}
    named = bench(BenchOptions(data=write_reviews(tmp_path), columns=columns, **given))  # type: ignore[arg-type]
    known = bench(BenchOptions(data=tiny_data, **given))  # type: ignore[arg-type]
    assert [row.accuracy for row in named.rows] == [row.accuracy for row in known.rows]


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A student of several labels a text, and data of them."""
    for split in ("train", "valid", "test"):
        rows = [
            {"text": f"a b {word}", "labels": labels} for word, labels in (("c", ["x"]), ("d", ["x", "y"]), ("e", []))
        ]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows * 8)))
    return write_student(tmp_path / "several", labels=("x", "y"), problem_type=MULTI_LABEL)


def test_several_labels_have_their_own_columns(several: Path, tmp_path: Path) -> None:
    options = BenchOptions((several,), several.parent, peers=("tfidf",), batch=(1,), out=tmp_path / "out")
    table = bench(options)
    student, peer = table.rows
    assert (peer.accuracy, peer.macro_f1, peer.micro_f1, peer.average_precision) == (1.0, 1.0, 1.0, None)
    test = Labelled.of(read_examples(several.parent / "test.jsonl"))
    predicted = potstill.load(several).predict(test.texts)
    assert student.accuracy == test.is_right(predicted).mean() and student.macro_f1 == pytest.approx(test.f1(predicted))
    assert student.micro_f1 == pytest.approx(test.micro_f1(predicted)) and student.average_precision is not None
    heading = str(table).splitlines()[0].split("  ")
    assert [title.strip() for title in heading if title][1:5] == [
        "macro F1",
        "micro F1",
        "average precision",
        "exact match",
    ]
    assert read_json(tmp_path / "out" / "bench.json")["problem_type"] == MULTI_LABEL
    assert "macro F1 on test, percent" in (tmp_path / "out" / "bench.svg").read_text()


def test_models_of_several_labels_and_of_one_are_not_compared(several: Path, models: Path, tiny_data: Path) -> None:
    with pytest.raises(PotstillError, match=r"several: its problem_type is multi_label_classification, that of .*/cnn"):
        bench(BenchOptions((models / "cnn",), tiny_data, teacher=several))
