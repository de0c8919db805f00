"""The whole job's options."""

from pathlib import Path
from typing import Any

import pytest

from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.errors import PotstillError
from potstill.runs.options import DistillOptions


def options(**changes: Any) -> DistillOptions:
    return DistillOptions(data="d", out=Path("o"), teacher="t", **changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"layers": -1}, "--layers=-1: must not be negative"),
        ({"transfer": (Path("none.parquet"),)}, "none.parquet: no such transfer set"),
        ({"temperature": 2.0}, "--temperature is for probabilities"),
        ({"gold_weight": 2.0}, "--gold_weight=2.0: a weight from 0 to 1"),
        ({"teacher_epochs": 0}, "--epoch=0: must be more than 0"),
        ({"soft_labels": SoftLabelFilter(hard_labeling=True), "loss": "kl"}, "--hard_labeling gives labels"),
        ({"soft_labels": SoftLabelFilter(hard_labeling=True), "gold_weight": 0.5}, "--hard_labeling gives labels"),
    ],
)
def test_options_out_of_range_are_refused_at_once(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        options(**changes)


def test_where_no_epochs_are_given_small_data_is_passed_over_until_there_are_some_hundred_steps() -> None:
    defaults = options()
    lengths = [
        (each.epoch, each.min_steps) for each in (defaults.for_teacher, defaults.for_student, defaults.for_baseline)
    ]
    assert lengths == [(2, 300), (5, 1000), (10, 300)]
    assert defaults.has_baseline


def test_epochs_and_steps_that_are_given_are_used() -> None:
    of_epochs = options(teacher_epochs=1, student_epochs=3, gold_epochs=4)
    lengths = [
        (each.epoch, each.min_steps) for each in (of_epochs.for_teacher, of_epochs.for_student, of_epochs.for_baseline)
    ]
    assert lengths == [(1, 0), (3, 0), (4, 0)]
    of_steps = options(student_steps=50, gold_epochs=0)
    assert (of_steps.for_student.steps, of_steps.for_student.min_steps) == (50, 0)
    assert not of_steps.has_baseline
