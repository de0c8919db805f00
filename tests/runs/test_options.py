"""The whole job's options."""

from pathlib import Path
from typing import Any

import pytest

from potstill.augment.sampling import Rules
from potstill.corpus.columns import Columns, DistillColumns
from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.errors import PotstillError
from potstill.runs.options import DistillOptions
from potstill.training.options import Optimisation


def options(**changes: Any) -> DistillOptions:
    return DistillOptions(data="d", out=Path("o"), teacher="t", **changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"layers": -1}, "--layers=-1: must not be negative"),
        ({"transfer": (Path("none.parquet"),)}, "none.parquet: no such transfer set"),
        ({"temperature": 2.0, "loss": "mse"}, "--temperature is for probabilities"),
        ({"gold_weight": 2.0}, "--gold_weight=2.0: a weight from 0 to 1"),
        ({"own_share": 1.0}, "--own_share=1.0: a share from 0 to less than 1"),
        ({"typing_errors": -0.1}, "--typing_errors=-0.1: a share is between 0 and 1"),
        ({"bf16": True, "fp32": True}, "--bf16 and --fp32: give one of them"),
        (
            {"student_init": "here", "cased": True},
            "--student_init has word vectors, of lower-case words: leave --cased",
        ),
        ({"teacher_epochs": 0}, "--epoch=0: must be more than 0"),
        ({"soft_labels": SoftLabelFilter(hard_labeling=True), "loss": "kl"}, "--hard_labeling gives labels"),
        ({"soft_labels": SoftLabelFilter(hard_labeling=True), "gold_weight": 0.5}, "--hard_labeling gives labels"),
    ],
)
def test_options_out_of_range_are_refused_at_once(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        options(**changes)


def for_teacher(chosen: DistillOptions, n_texts: int = 5_000, n_labels: int = 2, width: int = 384) -> Optimisation:
    return chosen.for_teacher(n_texts=n_texts, n_labels=n_labels, width=width)


def test_a_teacher_of_many_labels_is_tuned_longer_and_one_of_very_many_rows_shorter() -> None:
    epochs = [for_teacher(options(), rows, labels).epoch for rows, labels in ((5_000, 2), (9_000, 77), (9_000, 500))]
    assert epochs == [3, 9, 10]
    assert for_teacher(options(), 140_000).epoch == 2
    assert for_teacher(options(teacher_epochs=7), 140_000).epoch == 7


def test_a_wider_teacher_is_tuned_more_carefully_unless_a_rate_is_given() -> None:
    rates = [for_teacher(options(), width=width).lr for width in (312, 384, 768, 1024)]
    assert rates == pytest.approx([1e-4, 1e-4, 5e-5, 3.75e-5])
    assert for_teacher(options(teacher_lr=1e-3), width=1024).lr == 1e-3


def test_an_effort_decides_how_many_texts_are_new_and_options_that_are_given_win() -> None:
    rounds = [options(effort=effort).rules_for(5_000).n_iter for effort in ("quick", "normal", "best")]
    assert rounds == [2, 6, 20]
    assert options().rules_for(200_000).n_iter == 1
    assert options(rules=Rules(n_iter=4), effort="best").rules_for(5_000).n_iter == 4
    steps = [options(effort=effort).for_student.min_steps for effort in ("quick", "normal", "best")]
    assert steps == sorted(set(steps))
    assert options(effort="best", student_epochs=1).for_student.min_steps == 0


def test_bfloat16_is_chosen_where_it_is_native_and_not_asked_against(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(**changes: Any) -> tuple[bool, str]:
        return options(**changes).trains_in_bf16, options(**changes).labelling_backend

    monkeypatch.setattr("potstill.teachers.inference.has_native_bf16", lambda: True)
    assert chosen() == (True, "torch-bf16")
    assert chosen(fp32=True) == (False, "torch")
    assert chosen(labelling="onnx") == (True, "onnx")
    monkeypatch.setattr("potstill.teachers.inference.has_native_bf16", lambda: False)
    assert chosen() == (False, "torch")
    assert chosen(bf16=True) == (True, "torch")


def test_where_no_epochs_are_given_small_data_is_passed_over_until_there_are_some_hundred_steps() -> None:
    defaults = options()
    trainings = (for_teacher(defaults), defaults.for_student, defaults.for_baseline)
    assert [(each.epoch, each.min_steps) for each in trainings] == [(3, 400), (2, 1500), (10, 600)]
    assert defaults.has_baseline


def test_epochs_and_steps_that_are_given_are_used() -> None:
    of_epochs = options(teacher_epochs=1, student_epochs=3, gold_epochs=4)
    trainings = (for_teacher(of_epochs), of_epochs.for_student, of_epochs.for_baseline)
    assert [(each.epoch, each.min_steps) for each in trainings] == [(1, 0), (3, 0), (4, 0)]
    of_steps = options(student_steps=50, gold_epochs=0)
    assert (of_steps.for_student.steps, of_steps.for_student.min_steps) == (50, 0)
    assert not of_steps.has_baseline


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"probability_column": "p"}, "--probability_column is a column of a transfer set: give --transfer too"),
        ({"label_column": "a", "label_columns": ("b", "c")}, "--label_column and --label_columns: give one of them"),
        ({"text_column": "a"}, r"d\.txt: has no columns, but --text_column names one: leave it out"),
    ],
)
def test_columns_that_would_name_nothing_are_refused_at_once(
    columns: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "d.txt").write_text("fine\t1\n")
    with pytest.raises(PotstillError, match=complaint):
        DistillOptions(str(tmp_path / "d.txt"), Path("o"), "t", columns=DistillColumns(**columns))


def test_columns_are_those_of_the_files_that_have_some(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("fine\t1\n")
    (tmp_path / "d.csv").write_text("review,stars\nfine,1\n")
    (tmp_path / "more.csv").write_text("review\nfine\n")
    named = DistillColumns("review")

    def columns_of(data: str, **others: Any) -> Columns:
        return DistillOptions(str(tmp_path / data), Path("o"), "t", columns=named, **others).data_columns

    more = (tmp_path / "more.csv",)
    assert columns_of("d.txt", unlabelled=more) == columns_of("d.txt", transfer=more) == Columns()
    assert columns_of("d.csv").text_column == columns_of("d.csv", unlabelled=more).text_column == "review"
    assert columns_of("d.csv", unlabelled=(tmp_path / "d.txt",)).text_column == "review"


def test_a_column_of_probabilities_needs_a_transfer_set_with_columns(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine\t1 2\n")
    with pytest.raises(PotstillError, match=r"a\.txt: has no columns, but --probability_column names one"):
        options(transfer=(tmp_path / "a.txt",), columns=DistillColumns(probability_column="p"))
    (tmp_path / "a.jsonl").write_text('{"text": "fine", "p": [0, 1]}\n')
    with pytest.raises(PotstillError, match="--probability_column and --label_columns: give one of them"):
        options(
            transfer=(tmp_path / "a.jsonl",),
            columns=DistillColumns(probability_column="p", label_columns=("a", "b")),
        )
