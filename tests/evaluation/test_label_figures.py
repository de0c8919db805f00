"""How each label is found, and labels that are never given."""

import logging

import pytest

from potstill.evaluation.label_figures import count_confusion, figures_by_label, never_predicted
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.measuring import NO_ANSWER

ONE = Labelled(list("abcde"), ["x", "x", "y", "y", "z"])
SEVERAL = Labelled(list("abc"), [("x", "y"), ("x",), ()])


def test_precision_and_recall_of_one_label_a_text() -> None:
    x, y, z, w = figures_by_label(ONE, ["x", "y", "y", "y", NO_ANSWER], ["x", "y", "z", "w"])
    assert (x.texts, x.precision, x.recall) == (2, 1.0, 0.5) and x.f1 == pytest.approx(2 / 3)
    assert (y.texts, y.recall, y.f1) == (2, 1.0, 0.8) and y.precision == pytest.approx(2 / 3)
    assert (z.texts, z.precision, z.recall, z.f1) == (1, 0, 0, 0) and (w.texts, w.f1) == (0, 0)
    assert x.threshold is None


def test_each_of_several_labels_counts_by_itself() -> None:
    x, y, z = figures_by_label(SEVERAL, [("y", "x"), ("y",), ("z",)], ["x", "y", "z"], (0.3, 0.4, 0.5))
    assert (x.texts, x.precision, x.recall) == (2, 1.0, 0.5) and (y.texts, y.precision, y.recall) == (1, 0.5, 1.0)
    assert [label.threshold for label in (x, y, z)] == [0.3, 0.4, 0.5] and z.texts == 0


def test_the_log_names_labels_that_are_never_given(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "potstill"):
        assert never_predicted("cnn", ONE, ["x", "y", "y", "y", "y"], ["x", "y", "z", "w"]) == ["z"]
        assert never_predicted("cnn", SEVERAL, [("x",), ("x",), ()], ["x", "y", "z"]) == ["y"]
    assert [record.getMessage() for record in caplog.records] == [
        f"cnn: never gives '{label}' on valid, which 1 of its texts have: give more such texts, or --balance sqrt"
        for label in "zy"
    ]
    caplog.clear()
    assert never_predicted("cnn", ONE, ["z", "y", "x", "x", "x"], ["x", "y", "z"]) == [] == caplog.records


def test_several_labels_are_not_taken_for_one_another() -> None:
    assert count_confusion(ONE, ["x", "y", "y", "y", NO_ANSWER]) == {
        "x": {"x": 1, "y": 1}, "y": {"y": 2}, "z": {NO_ANSWER: 1}
    }  # fmt: skip
    assert count_confusion(SEVERAL, [("x", "y"), (), ()]) == {}
