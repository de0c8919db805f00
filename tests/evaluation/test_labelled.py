"""Texts with their gold labels, and how a model's labels compare with them."""

import pytest

from potstill.evaluation.labelled import Labelled


def test_several_labels_are_right_in_any_order() -> None:
    part = Labelled(["a", "b", "c"], [("10", "2"), ("2",), ()])
    assert part.is_right([["2", "10"], ("2", "10"), []]).tolist() == [True, False, True]
    by_value = Labelled(["a"], [("2", "10")])  # a teacher's, in the order of its labels
    assert by_value.is_right([("2", "10")]).tolist() == by_value.is_right([("10", "2")]).tolist() == [True]


def test_f1_of_several_labels_is_of_those_that_occur() -> None:
    part = Labelled(["a", "b", "c"], [("x", "y"), ("x",), ()])
    found = [("x",), ("x", "z"), ()]
    assert part.f1(found) == pytest.approx((1 + 0 + 0) / 3)
    assert part.micro_f1(found) == pytest.approx(2 * 2 / (3 + 3))
    assert Labelled(["a"], [()]).f1([()]) == 0.0


def test_there_is_no_micro_f1_where_a_text_has_one_label() -> None:
    part = Labelled(["a", "b"], ["x", "y"])
    assert part.f1(["x", "x"]) == pytest.approx((2 / 3 + 0) / 2) and part.micro_f1(["x", "x"]) is None
