"""Which texts are worth labelling by hand, of one label a text and of several."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from potstill.commands.sample import SampleOptions, _Answered, _choose
from potstill.tasks import MultiLabel, SingleLabel, Task


def chosen(teacher: list[list[float]], student: list[list[float]], tasks: tuple[Task, Task]) -> dict[str, list[int]]:
    """The rows of each kind."""
    texts = [str(row) for row in range(len(teacher))]
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
