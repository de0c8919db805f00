"""Functions and estimators as teachers: what they are asked, their identity, their errors."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OutputCodeClassifier
from sklearn.svm import LinearSVC

import potstill
from other_teachers import fit_pipeline
from potstill.errors import PotstillError
from potstill.progress import Bar, silent
from potstill.teachers.function import FunctionTeacher
from standins import sentences, write_student

TEXTS = [text for text, _ in sentences(600, 5)]
LABELS = ["bad", "good"]


class Counting:
    """A function that keeps what it was asked.

    :param wrong: fails for texts that this is true of.
    """

    def __init__(self, wrong: Callable[[list[str]], bool] = lambda texts: False) -> None:
        self.calls: list[list[str]] = []
        self.wrong = wrong

    def __call__(self, texts: list[str]) -> list[list[float]]:
        self.calls.append(list(texts))
        if self.wrong(texts):
            raise LookupError("no such word\nmore of it")
        rows = [[float(len(text)), 1.0] for text in texts]
        texts.clear()  # the list is its own
        return rows


def test_it_is_asked_in_batches_with_progress() -> None:
    function = Counting()
    steps: list[int] = []

    class Steps:
        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def update(self, n: int) -> None:
            steps.append(n)

        def note(self, text: str) -> None:
            pass

    logits = FunctionTeacher(function, LABELS)(TEXTS, lambda description, total: Steps())
    assert [len(call) for call in function.calls] == steps == [256, 256, 88]
    np.testing.assert_array_equal(logits[:, 0], [len(text) for text in TEXTS])


def test_no_texts_are_no_rows() -> None:
    assert FunctionTeacher(Counting(), LABELS)([], silent).shape == (0, 2)


def test_what_was_asked_to_check_it_is_not_asked_again() -> None:
    function = Counting()
    teacher = FunctionTeacher(function, LABELS)
    teacher.check(TEXTS)
    teacher.check(TEXTS)
    logits = teacher(TEXTS[:40])
    asked = [text for call in function.calls for text in call]
    assert sorted(asked) == sorted(set(TEXTS[:40])) or len(asked) == len(TEXTS[:40])
    np.testing.assert_array_equal(logits, FunctionTeacher(Counting(), LABELS)(TEXTS[:40]))


def test_later_it_is_asked_again_so_that_it_can_be_timed() -> None:
    function = Counting()
    teacher = FunctionTeacher(function, LABELS)
    teacher.check(TEXTS[:3])
    for n_calls in (1, 2, 3):
        teacher(TEXTS[:3])
        assert len(function.calls) == n_calls


def scores(texts: list[str], *, factor: float) -> list[list[float]]:
    return [[factor * len(text), 1.0] for text in texts]


def identity(factor: float, **settings: Any) -> str:
    teacher = FunctionTeacher(partial(scores, factor=factor), LABELS, "f", **settings)
    teacher.check(TEXTS)
    return teacher.identity


def test_other_scores_are_another_identity() -> None:
    assert identity(1.0) != identity(1.1)


def test_the_last_bits_of_scores_are_no_other_identity() -> None:
    assert identity(1.0) == identity(1.0 + 1e-7)


def test_a_version_is_the_identity_whatever_the_scores_are() -> None:
    assert identity(1.0, version="2") == identity(1.1, version="2") != identity(1.1, version="3")


def test_the_name_is_the_functions_own_or_given() -> None:
    assert FunctionTeacher(scores_of_two, LABELS).identity.startswith("scores_of_two ")
    assert FunctionTeacher(fit_pipeline()).identity.startswith("Pipeline ")
    assert FunctionTeacher(scores_of_two, LABELS, "mine").identity.startswith("mine ")


def scores_of_two(texts: list[str]) -> Any:
    return np.ones((len(texts), 2))


def test_it_says_what_it_gives(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="potstill"):
        FunctionTeacher(lambda texts: ["good"] * len(texts), LABELS, "f").check(TEXTS)
        FunctionTeacher(lambda texts: [[0.5, 0.5]] * len(texts), LABELS, "g").check(TEXTS)
        FunctionTeacher(lambda texts: [[0.5, 0.9]] * len(texts), LABELS, "h").check(TEXTS)
    assert "f gives labels, no scores: each has 0.9 of the probability, 0.1 is spread over all labels" in caplog.text
    assert "g gives probabilities" in caplog.text
    assert "h gives scores from 0 to 1 that do not add up to one" in caplog.text


def test_no_answer_is_nan_and_none_at_all_fails_early() -> None:
    teacher = FunctionTeacher(lambda texts: [None if "dull" in text else [1, 2] for text in texts], LABELS, "f")
    assert np.isnan(teacher(["a dull film", "fine"])).tolist() == [[True, True], [False, False]]
    with pytest.raises(PotstillError, match=r"f: gave no answer \(None\) for any of the first 1 texts"):
        teacher.check(["a dull film"])


def test_an_error_names_the_text_that_raises_it_alone() -> None:
    function = Counting(lambda texts: TEXTS[77] in texts)
    with pytest.raises(PotstillError) as raised:
        FunctionTeacher(function, LABELS, "f")(list(dict.fromkeys(TEXTS)))
    assert str(raised.value).startswith(f"f: failed with LookupError for the text '{TEXTS[77][:60]}")
    assert str(raised.value).endswith(": no such word")
    assert len(function.calls) <= 1 + 2 * 8  # by halves


def test_an_error_that_no_text_raises_alone_says_so() -> None:
    function = Counting(lambda texts: len(texts) > 2)
    with pytest.raises(PotstillError, match="f: failed with LookupError for 4 texts together, not for one alone"):
        FunctionTeacher(function, LABELS, "f")(["a", "b", "c", "d"])


def test_an_error_of_a_generator_is_one_line_too() -> None:
    def function(texts: list[str]) -> Any:
        for text in texts:
            yield [len(text), 1 / len(text.strip())]

    teacher = FunctionTeacher(function, LABELS, "f")
    assert teacher(["ab", "c"]).tolist() == [[2, 0.5], [1, 1]]
    with pytest.raises(PotstillError, match="f: failed with ZeroDivisionError for the text '': division by zero"):
        teacher(["a", " ", "b"])


def test_our_own_errors_pass() -> None:
    def function(texts: list[str]) -> Any:
        raise PotstillError("the server is gone: start it")

    with pytest.raises(PotstillError, match=r"^the server is gone: start it$"):
        FunctionTeacher(function, LABELS)(["a"])


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (5, "the teacher is a int: give a function that takes a list of texts, or an estimator"),
        (None, "the teacher is a NoneType"),
        (LogisticRegression, "LogisticRegression: a class: give an object of it"),
        (LogisticRegression(), "LogisticRegression: not fitted, it has no classes_: fit it"),
    ],
)
def test_what_is_no_teacher_is_one_line(teacher: object, message: str) -> None:
    with pytest.raises(PotstillError, match=message):
        FunctionTeacher(teacher, LABELS)


def test_a_function_needs_labels() -> None:
    with pytest.raises(PotstillError, match="scores_of_two: give the labels that its scores are of"):
        FunctionTeacher(scores_of_two)


def test_an_estimator_that_takes_no_text_is_one_line() -> None:
    with pytest.raises(
        PotstillError, match=r"LogisticRegression: failed with ValueError for the text 'a': Expected 2D"
    ):
        FunctionTeacher(LogisticRegression().fit([[0.0], [1.0]], ["bad", "good"]), LABELS)(["a", "b"])


@pytest.mark.parametrize("classes", [("0", "1"), (0, 1), (0.0, 1.0)])
def test_an_estimators_probabilities_come_in_the_order_of_the_labels(classes: tuple[object, object]) -> None:
    pipeline = fit_pipeline(labels=classes)
    expected = np.log(pipeline.predict_proba(TEXTS))
    np.testing.assert_allclose(FunctionTeacher(pipeline)(TEXTS), expected, rtol=1e-4)
    turned = FunctionTeacher(pipeline, ["1", "0"])
    assert turned.labels == ["1", "0"]
    np.testing.assert_allclose(turned(TEXTS), expected[:, ::-1], rtol=1e-4)


@pytest.mark.parametrize("model", [LinearSVC(), RidgeClassifier()])
def test_one_distance_of_two_labels_is_halved(model: Any) -> None:
    pipeline = fit_pipeline(model)
    distances = pipeline.decision_function(TEXTS)
    logits = FunctionTeacher(pipeline)(TEXTS)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], distances, rtol=1e-4)
    assert [pipeline.classes_[row] for row in logits.argmax(axis=1)] == pipeline.predict(TEXTS).tolist()


def test_an_estimator_without_scores_gives_labels() -> None:
    pipeline = fit_pipeline(OutputCodeClassifier(LogisticRegression(), random_state=0), (7, 9))
    logits = FunctionTeacher(pipeline)(TEXTS)
    assert [pipeline.classes_[row] for row in logits.argmax(axis=1)] == pipeline.predict(TEXTS).tolist()


def test_a_frozen_estimator_is_the_estimator() -> None:
    pipeline = fit_pipeline()
    np.testing.assert_array_equal(FunctionTeacher(FrozenEstimator(pipeline))(TEXTS), FunctionTeacher(pipeline)(TEXTS))


def test_a_student_teaches_too(tmp_path: Path) -> None:
    student = potstill.load(write_student(tmp_path))
    teacher = FunctionTeacher(student, ["yes sir", "no"])
    np.testing.assert_allclose(np.exp(teacher(["a b", "c"])), student.predict_proba(["a b", "c"])[:, ::-1], rtol=1e-4)


class Model:
    """Of another library: it names no classes."""

    def __call__(self, texts: list[str]) -> list[list[float]]:
        return [[0.0, 1.0] for _ in texts]

    def predict(self, texts: list[str]) -> list[object]:
        return [{"label": "good"} for _ in texts]


class ModelOfProbabilities(Model):
    def predict_proba(self, texts: list[str]) -> list[list[float]]:
        return [[0.75, 0.25] for _ in texts]


def test_an_object_without_classes_gives_scores_in_the_order_of_the_labels() -> None:
    assert FunctionTeacher(Model(), LABELS)(["a"]).argmax() == 1
    np.testing.assert_allclose(
        np.exp(FunctionTeacher(ModelOfProbabilities(), LABELS)(["a"])), [[0.75, 0.25]], rtol=1e-5
    )
    turned = FunctionTeacher(ModelOfProbabilities(), LABELS, classes=["good", "bad"])
    np.testing.assert_allclose(np.exp(turned(["a"])), [[0.25, 0.75]], rtol=1e-5)


def test_trees_are_taken_from_python() -> None:
    forest = fit_pipeline(RandomForestClassifier(n_estimators=3, random_state=0))
    assert np.isfinite(FunctionTeacher(forest)(TEXTS)).all()
