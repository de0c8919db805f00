"""The reference row: what it measures, and where it is shown."""

from dataclasses import replace
from pathlib import Path

import pytest

from potstill.distillation.distill import Distilled
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.reference import measure_reference
from potstill.evaluation.results import Evaluation, Reference, read_evaluation, score_table
from standins import sentences


def labelled(n: int, seed: int) -> Labelled:
    texts, labels = zip(*sentences(n, seed), strict=True)
    return Labelled(texts, labels)


@pytest.fixture(scope="module")
def reference() -> Reference:
    measured = measure_reference(train=labelled(60, 0), valid=labelled(20, 1), test=labelled(20, 2), seed=1)
    assert measured is not None
    return measured


def test_it_is_fitted_and_measured_like_a_model(reference: Reference) -> None:
    assert reference.accuracy == reference.macro_f1 == reference.valid["accuracy"] == 1.0  # words tell the label
    assert reference.p50_ms > 0 and reference.megabytes > 0 and reference.seconds > 0


def test_a_runs_table_and_page_have_it(finished: Path) -> None:
    evaluation = read_evaluation(finished)
    assert evaluation.reference is not None
    last = score_table(evaluation.scores, evaluation.reference).splitlines()[-1]
    assert last.startswith(f"TF-IDF + logistic regression     {100 * evaluation.reference.accuracy:.2f}"[:28])
    assert "TF-IDF" not in score_table(evaluation.scores)
    assert '<th scope="row">TF-IDF + logistic regression</th>' in (finished / "report.html").read_text()


@pytest.mark.parametrize(
    ("student", "teacher", "said"),
    [(0.9, 0.9, ""), (0.5, 0.5, "give more --teacher_epochs"), (0.5, 0.9, "--unlabelled, or --effort best")],
)
def test_a_student_below_it_is_told_with_what_to_do(
    finished: Path, reference: Reference, student: float, teacher: float, said: str
) -> None:
    evaluation = read_evaluation(finished)
    accuracies = {"teacher": teacher, "student": student, "baseline": 0.1}
    scores = [replace(score, accuracy=accuracies[score.role]) for score in evaluation.scores]
    changed = Evaluation(evaluation.machine, scores, replace(reference, accuracy=0.7))
    printed = str(Distilled(finished, changed, finished / "report.html"))
    assert ("is below TF-IDF + logistic regression, fitted in" in printed) == bool(said)
    assert said in printed
    without = str(Distilled(finished, replace(changed, reference=None), finished / "report.html"))
    assert "is below" not in without


@pytest.mark.parametrize("names", [("good", "bad"), ("good", "bad", "so-so")])
def test_two_labels_and_more_are_told_apart(names: tuple[str, ...]) -> None:
    texts = [f"a film that is {name}, number {number}" for number in range(20) for name in names]
    part = Labelled(texts, list(names) * 20)
    measured = measure_reference(train=part, valid=part, test=part, seed=1)
    assert measured is not None and measured.accuracy == 1.0


def test_where_its_library_fails_there_is_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("empty vocabulary")

    monkeypatch.setattr("sklearn.linear_model.LogisticRegression.fit", fail)
    part = labelled(20, 0)
    assert measure_reference(train=part, valid=part, test=part, seed=1) is None
    assert "left out: tfidf fails" in caplog.text
