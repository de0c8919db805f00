"""A cascade: which model predicts what, and in which order of the labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill import Cascade, PotstillError
from potstill.corpus.texts import Text


class Fixed:
    """A stand-in for a classifier: each text has its probabilities, and the texts of each call are kept."""

    def __init__(self, labels: list[str], rows: dict[str, list[float]]) -> None:
        self.classes_: NDArray[Any] = np.array(labels, dtype=object)
        self.rows = rows
        self.calls: list[list[Text]] = []

    def predict_proba(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        self.calls.append(list(texts))
        return np.array([self.rows[str(text)] for text in texts], dtype=np.float32)


def student() -> Fixed:
    return Fixed(["no", "yes"], {"confident": [0.05, 0.95], "uncertain": [0.6, 0.4], "at the threshold": [0.1, 0.9]})


def teacher() -> Fixed:
    return Fixed(["yes", "no"], {"uncertain": [0.8, 0.2], "confident": [0.5, 0.5]})


def test_texts_below_the_threshold_go_to_the_fallback_and_no_others() -> None:
    fallback = teacher()
    cascade = Cascade(student(), fallback, below=0.9)
    predictions = cascade.predict_with_source(["confident", "uncertain", "at the threshold"])
    assert predictions.from_fallback.tolist() == [False, True, False]
    assert fallback.calls == [["uncertain"]]


def test_the_fallbacks_probabilities_are_put_in_the_students_order() -> None:
    cascade = Cascade(student(), teacher(), below=0.9)
    np.testing.assert_allclose(cascade.predict_proba(["confident", "uncertain"]), [[0.05, 0.95], [0.2, 0.8]])
    assert cascade.classes_.tolist() == ["no", "yes"]
    assert cascade.predict(["confident", "uncertain"]).tolist() == ["yes", "yes"]


def test_a_fallback_that_is_not_needed_is_not_called() -> None:
    fallback = teacher()
    assert Cascade(student(), fallback, below=0.5).predict(["confident", "uncertain"]).tolist() == ["yes", "no"]
    assert fallback.calls == []


def test_the_students_own_probabilities_are_not_overwritten() -> None:
    rows = np.array([[0.6, 0.4]], dtype=np.float32)
    unchanging = student()
    unchanging.predict_proba = lambda texts: rows  # type: ignore[method-assign]
    Cascade(unchanging, teacher(), below=0.9).predict_with_source(["uncertain"])
    np.testing.assert_allclose(rows, [[0.6, 0.4]])


@pytest.mark.parametrize("below", [0.0, -0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(below: float) -> None:
    with pytest.raises(PotstillError, match="above 0 and up to 1"):
        Cascade(student(), teacher(), below)


def test_models_of_other_labels_are_refused_and_both_are_listed() -> None:
    with pytest.raises(PotstillError, match="labels are no, yes, the fallback's good, bad: give a fallback"):
        Cascade(student(), Fixed(["good", "bad"], {}), below=0.9)
