"""Scores: figures that follow from the predictions, and evaluation.json read back as it was written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import potstill
from potstill.artifacts import write_manifest
from potstill.corpus.examples import read_examples
from potstill.evaluation.label_figures import count_confusion
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.results import Evaluation, Role, read_evaluation, this_machine, write_evaluation
from potstill.runs.contents import read_split
from potstill.runtime.cascade import Cascade


@pytest.fixture(scope="module")
def evaluation(reported: Path) -> Evaluation:
    return read_evaluation(reported)


def test_agreement_and_confusion_follow_from_the_models_predictions(reported: Path, evaluation: Evaluation) -> None:
    rows = read_examples(reported / "data" / "test.parquet")
    teacher_labels = potstill.load(reported / "teacher").predict([row.text for row in rows])
    assert evaluation.teacher.agreement is None
    for score in evaluation.scores[1:]:
        predicted = potstill.load(reported / score.folder).predict([row.text for row in rows])
        assert score.agreement == pytest.approx(float((predicted == teacher_labels).mean()))
        for row in rows:
            assert score.confusion[str(row.label)]
        assert sum(sum(line.values()) for line in score.confusion.values()) == score.total == len(rows)
        assert sum(line.get(label, 0) for label, line in score.confusion.items()) == score.correct


def test_the_measured_cascades_are_what_a_cascade_does(reported: Path, evaluation: Evaluation) -> None:
    rows = read_examples(reported / "data" / "test.parquet")
    texts, gold = [row.text for row in rows], np.array([row.label for row in rows], dtype=object)
    teacher = potstill.load(reported / "teacher")
    assert evaluation.teacher.cascades == []
    for score in evaluation.students:
        for measured in score.cascades[:2]:
            cascade = Cascade(potstill.load(reported / score.folder), teacher, below=measured.threshold)
            assert measured.share == pytest.approx(float(cascade.predict_with_source(texts).from_fallback.mean()))
            assert measured.accuracy == pytest.approx(float((cascade.predict(texts) == gold).mean()))
            assert measured.mean_ms == pytest.approx(score.p50_ms + measured.share * evaluation.teacher.p50_ms)


def test_the_disagreements_are_those_of_valid_that_are_furthest_apart(reported: Path, evaluation: Evaluation) -> None:
    valid = {row.text: row.label for row in read_split(reported, "valid")}
    texts = list(valid)
    teacher_probabilities = potstill.load(reported / "teacher").predict_proba(texts)
    for score in evaluation.students:
        probabilities = potstill.load(reported / score.folder).predict_proba(texts)
        distances = np.sort(np.abs(probabilities - teacher_probabilities).sum(axis=1) / 2)[::-1]
        rows = [texts.index(disagreement.text) for disagreement in score.disagreements]
        shown = np.abs(probabilities - teacher_probabilities).sum(axis=1)[rows] / 2
        np.testing.assert_allclose(shown, distances[: len(rows)], atol=1e-6)
        assert all(valid[disagreement.text] == disagreement.label for disagreement in score.disagreements)
        assert len({disagreement.text for disagreement in score.disagreements}) == len(score.disagreements) == 10
        assert score.disagreements[0].student_probability == pytest.approx(
            float(probabilities[rows[0]].max()), abs=1e-6
        )


def test_unknown_words_of_test_are_counted(reported: Path, evaluation: Evaluation) -> None:
    assert evaluation.teacher.coverage is None
    for score in evaluation.students:
        assert score.coverage is not None
        assert 0 <= score.coverage.unknown < score.coverage.words
        assert (score.coverage.unknown > 0) == (score.coverage.texts_with_unknown > 0)
        assert score.coverage.vocabulary > 40


def test_confusion_is_counted_by_gold_label_first() -> None:
    labelled = Labelled(["1", "2", "3", "4"], ["b", "a", "b", "b"])
    assert count_confusion(labelled, ["a", "a", "b", "a"]) == {"a": {"a": 1}, "b": {"a": 2, "b": 1}}


def test_it_is_read_back_as_it_was_written(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "evaluation").mkdir()
    write_evaluation(evaluation, tmp_path / "evaluation")
    write_manifest(tmp_path / "evaluation", {})
    assert read_evaluation(tmp_path) == evaluation
    assert evaluation.machine == this_machine()


def test_the_best_is_the_distilled_student_that_is_best_on_valid_and_of_equals_the_first(
    evaluation: Evaluation,
) -> None:
    rows: list[tuple[Role, float]] = [
        ("teacher", 1.0),
        ("student", 0.7),
        ("baseline", 1.0),
        ("student", 0.8),
        ("student", 0.8),
    ]
    scores = [
        replace(evaluation.teacher, name=str(number), role=role, valid={"accuracy": accuracy})
        for number, (role, accuracy) in enumerate(rows)
    ]
    assert replace(evaluation, scores=scores).best.name == "3"
