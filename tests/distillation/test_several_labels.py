"""Runs on texts that have several labels, or none; and rare labels."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import potstill
from potstill.corpus.encoded import Encoded
from potstill.distillation.distill import distill
from potstill.errors import PotstillError
from potstill.evaluation.results import read_evaluation
from potstill.model_folder import ModelFolder
from potstill.tasks import MULTI_LABEL
from small_runs import WORDS, small_run


@pytest.fixture(scope="module")
def run(several: Path) -> Path:
    return several


def test_each_model_of_the_run_is_of_the_task(run: Path) -> None:
    evaluation = read_evaluation(run)
    assert evaluation.problem_type == MULTI_LABEL and evaluation.measure == "macro_f1"
    for score in evaluation.scores:
        folder = ModelFolder(run / score.folder)
        assert folder.task.takes_several and folder.labels == sorted(WORDS)
        assert len(folder.config["label_thresholds"]) == len(folder.config["calibration_temperature"]) == 3
        assert 0 <= score.accuracy <= score.macro_f1 and score.micro_f1 is not None
    best = max(evaluation.students, key=lambda score: score.valid["macro_f1"])
    assert evaluation.best == best and best.macro_f1 > 0.9  # a word tells each label


def test_the_student_gives_a_list_of_labels_a_text(run: Path) -> None:
    student, best = potstill.load(run / "student"), read_evaluation(run).best
    rows = [json.loads(line) for line in (run.parent / "data" / "test.jsonl").read_text().splitlines()]
    texts = [row["text"] for row in rows]
    predicted = student.predict(texts).tolist()
    assert all(isinstance(labels, list) for labels in predicted)
    assert (
        sum(labels == sorted(row["labels"]) for labels, row in zip(predicted, rows, strict=True)) == best.correct > 12
    )
    assert {len(labels) for labels in predicted} > {0, 1, 2}
    probabilities = student.predict_proba(texts)
    assert probabilities.shape == (24, 3) and probabilities.sum(axis=1).max() > 1.5  # they do not add up to one


def test_new_texts_have_no_gold_labels(run: Path) -> None:
    transfer = Encoded.load(run / "prepared" / "transfer")
    assert transfer.gold is not None and transfer.teacher_logits is not None
    assert transfer.gold.shape == transfer.teacher_logits.shape
    assert {tuple(row) for row in transfer.gold.tolist()} > {(-100.0, -100.0, -100.0)}


def test_a_classifier_of_the_task_is_a_teacher_as_it_is(
    run: Path, tiny_vectors: Path, tiny_data: Path, tmp_path: Path
) -> None:
    data, teacher = str(run.parent / "data"), run / "teacher"
    options = small_run(Path(data), teacher, tiny_vectors, tmp_path / "again", gold_epochs=0, reference_row=False)
    again = read_evaluation(distill(options).folder)
    assert again.teacher.accuracy == read_evaluation(run).teacher.accuracy
    wrong = small_run(tiny_data, teacher, tiny_vectors, tmp_path / "wrong", teacher_is_finetuned=True)
    with pytest.raises(PotstillError, match=r"a classifier of several labels a text, but the data has one label"):
        distill(wrong)


def test_a_figure_of_several_labels_does_not_pick_where_there_is_one(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    options = small_run(tiny_data, tiny_encoder, tiny_vectors, tmp_path / "run", measure="micro_f1")
    with pytest.raises(PotstillError, match=r"--measure=micro_f1: is a figure of several labels a text"):
        distill(options)


@pytest.mark.parametrize("balance", ["none", "full"])
def test_rare_labels_have_as_many_new_texts_as_others(
    balance: Any, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    import pyarrow.parquet

    data = tmp_path / "data"
    data.mkdir()
    for split, n in (("train", 44), ("valid", 22), ("test", 22)):
        lines = [f"a {'rare' if row % 11 == 0 else 'usual'} film of {split} {row} with words\t{int(row % 11 == 0)}"
                 for row in range(n)]  # fmt: skip
        (data / f"{split}.txt").write_text("\n".join(lines))
    options = small_run(data, tiny_encoder, tiny_vectors, tmp_path / "run", balance=balance, measure="macro_f1")
    result = distill(options)
    table = pyarrow.parquet.read_table(result.folder / "augmented" / "texts.parquet").to_pydict()
    rare = Counter(
        source % 11 == 0 for source, kind in zip(table["source"], table["kind"], strict=True) if kind != "own"
    )
    assert (rare[True] > 0.5 * rare[False]) == (balance == "full")
    assert read_evaluation(result.folder).measure == "macro_f1"
