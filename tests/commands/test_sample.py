"""Which texts are worth labelling by hand, of one label a text and of several, and pairs of texts."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

import potstill
from potstill.artifacts import FORMAT, atomic_folder, shard_name, write_json
from potstill.commands.sample import SampleOptions, _Answered, _choose, sample
from potstill.corpus.texts import Text
from potstill.errors import PotstillError
from potstill.tasks import MultiLabel, SingleLabel, Task
from standins import change_json, write_student

PAIRS = [(first, second) for first in ("a b", "c", "d e f") for second in ("a", "b c", "f")]
COLUMNS = {"text": [first for first, _ in PAIRS], "text_pair": [second for _, second in PAIRS]}


def chosen(teacher: list[list[float]], student: list[list[float]], tasks: tuple[Task, Task]) -> dict[str, list[int]]:
    """The rows of each kind."""
    texts: list[Text] = [str(row) for row in range(len(teacher))]
    of_teacher, of_student = (np.array(each, dtype=np.float32) for each in (teacher, student))
    answered = _Answered(texts, of_teacher, of_student, tasks)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, why in _choose(answered, SampleOptions(Path("run"), Path("out.csv"), n=2, kinds=("disagree", "unsure"))):
        rows[why].append(row)
    return rows


def test_of_one_label_the_likeliest_decides() -> None:
    teacher = [[0.9, 0.1], [0.8, 0.2], [0.51, 0.49]]
    student = [[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]
    assert chosen(teacher, student, (SingleLabel(), SingleLabel())) == {"disagree": [1], "unsure": [2]}


def test_of_several_labels_each_model_decides_by_its_own_thresholds() -> None:
    teacher = [[0.9, 0.4], [0.9, 0.1], [0.5, 0.1]]
    student = [[0.9, 0.4], [0.9, 0.1], [0.6, 0.1]]
    tasks = (MultiLabel((0.45, 0.3)), MultiLabel((0.45, 0.5)))  # of the first text one gives both labels
    assert chosen(teacher, student, tasks) == {"disagree": [0], "unsure": [2]}
    assert chosen(teacher, student, (tasks[0], tasks[0])) == {"unsure": [0, 2]}  # 0.9 * 0.4, then 0.5 * 0.9


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What sample reads of a run of pairs without gold labels: the teacher calls all of them yes."""
    run = tmp_path / "run"
    run.mkdir()
    write_json(run / "run.json", {"format": FORMAT, "config": {"gold": None}})
    for name in ("student", "teacher"):
        (run / name).mkdir()
        write_student(run / name, labels=("no", "yes"), reads_pairs=True)
    logits = pyarrow.array([[0.0, 3.0 + row] for row in range(len(PAIRS))], pyarrow.list_(pyarrow.float32()))
    with atomic_folder(run / "labelled", {}) as work:
        pyarrow.parquet.write_table(pyarrow.table(COLUMNS | {"logits": logits}), work / shard_name(0))
    return run


def write_test_split(run: Path, n: int) -> None:
    """The first pairs are test, with gold labels."""
    with atomic_folder(run / "data", {}) as work:
        columns = {name: values[:n] for name, values in COLUMNS.items()}
        pyarrow.parquet.write_table(pyarrow.table(columns | {"label": ["no"] * n}), work / "test.parquet")


def sampled(run: Path) -> list[dict[str, str]]:
    """The rows of a sample of all that there is."""
    sample(SampleOptions(run, run.parent / "check.csv", kinds=("disagree", "random")))
    with (run.parent / "check.csv").open() as file:
        return list(csv.DictReader(file))


def test_of_pairs_both_texts_are_in_the_sample(run: Path) -> None:
    rows = sampled(run)
    assert list(rows[0]) == ["text", "text_pair", "label", "why", "teacher", "student"]
    assert sorted((row["text"], row["text_pair"]) for row in rows) == sorted(PAIRS)
    labels = potstill.load(run / "student").predict([(row["text"], row["text_pair"]) for row in rows])
    assert [row["student"] for row in rows] == labels.tolist() and {row["teacher"] for row in rows} == {"yes"}
    assert {row["student"] for row in rows if row["why"] == "disagree"} == {"no"}


def test_a_pair_that_has_a_gold_label_is_not_in_the_sample_one_that_shares_a_text_is(run: Path) -> None:
    write_test_split(run, 2)
    change_json(run / "run.json", config={"gold": "check.csv"})
    assert sorted((row["text"], row["text_pair"]) for row in sampled(run)) == sorted(PAIRS[2:])


def test_of_a_run_with_gold_labels_only_pairs_without_are_in_the_sample(run: Path) -> None:
    (run / "labelled").rename(run / "transfer")
    write_test_split(run, 2)
    with pytest.raises(PotstillError, match=r"all of its own texts have gold labels; .* distill --unlabelled"):
        sampled(run)
    with atomic_folder(run / "augmented", {}) as work:
        kinds = ["own"] * 5 + ["unlabelled"] * 4
        pyarrow.parquet.write_table(pyarrow.table(COLUMNS | {"kind": kinds}), work / "texts.parquet")
    assert sorted((row["text"], row["text_pair"]) for row in sampled(run)) == sorted(PAIRS[5:])
