"""What ``evaluation.json`` holds: each model's figures, and how it compares with the teacher.

It is the one source of them: tables, report and model card read it, and compute none again.
:mod:`potstill.evaluation.measuring` measures them.
"""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from potstill.artifacts import EVALUATION, own_manifest, read_json, write_json
from potstill.errors import PotstillError
from potstill.evaluation.cascades import MeasuredCascade
from potstill.evaluation.risk import RiskCoverage, RiskPoint
from potstill.runtime.threads import available_cpus
from potstill.tables import table
from potstill.tasks import SINGLE_LABEL, Task, find_task
from potstill.training.options import Measure

AGREEMENT = "as the teacher"  # instead of accuracy, where nobody but the teacher labelled test
GOLD = "-gold"  # ends the name of a baseline's folder

Role = Literal["teacher", "student", "baseline"]
"""``baseline``: a student trained on the gold labels alone."""


@dataclass(frozen=True)
class Coverage:
    """How much of test a student over words or characters knows.

    :param vocabulary: rows of its word table.
    :param words: of all texts; ``unknown`` those of them that are not in the vocabulary.
    :param texts_with_unknown: texts that have such a word.
    """

    vocabulary: int
    words: int
    unknown: int
    texts_with_unknown: int


@dataclass(frozen=True)
class Disagreement:
    """A text of valid with its gold label, and the likeliest label of teacher and student with its probability."""

    text: str
    label: str
    teacher_label: str
    teacher_probability: float
    student_label: str
    student_probability: float


@dataclass(frozen=True)
class LabelFigures:
    """How one label is found on test.

    :param texts: of test that have it.
    :param threshold: the probability from which on it is given, where a text may have several labels.
    """

    label: str
    texts: int
    precision: float
    recall: float
    f1: float
    threshold: float | None


@dataclass(frozen=True)
class Score:
    """One model's row of the table, and what a report tells of it.

    :param folder: in the run, such as ``students/cnn``.
    :param accuracy: the share of right labels on test: ``correct`` of ``total``.
    :param macro_f1: the mean of the labels' F1 on test.
    :param micro_f1: F1 over all labels of all texts together, where a text may have several; else None.
    :param average_precision: the mean of the labels' average precision, where a text may have several; else None.
    :param valid: the figures on valid by name: accuracy, macro_f1 and the others of the task.
    :param agreement: the share of test's texts to which the teacher gives the same label; None for the teacher.
    :param calibration_error: on test, the expected difference between a probability and how often it comes true;
        ``uncalibrated_error`` the same before the temperature.
    :param p50_ms: median milliseconds a text, one at a time on one thread, raw text to label; ``p95_ms``
        the 95th percentile. Of a black box those that it took to answer.
    :param parameters: numbers in the weights, the word table included; None for a black box.
    :param megabytes: of the files that are deployed: ONNX file, tokenizer and configuration; None for a black box.
    :param confusion: texts of test by gold label, then by the model's; pairs that do not occur are left out. Empty
        where a text may have several labels.
    :param by_label: the figures of each label, in id order.
    :param never_predicted: labels that texts of valid have, and that the model gives to none.
    :param risk_coverage: how often it is right where it is confident, on test.
    :param coverage: of a student of ``STUDENTS``; None for a transformer.
    :param cascades: on test, with the teacher as fallback, one a threshold; none for the teacher.
    :param disagreements: the texts of valid on which its probabilities are furthest from the teacher's, by their total
        variation distance; the furthest first, without duplicates.
    """

    name: str
    role: Role
    folder: str
    accuracy: float
    correct: int
    total: int
    macro_f1: float
    micro_f1: float | None
    average_precision: float | None
    valid: dict[str, float]
    agreement: float | None
    calibration_error: float
    uncalibrated_error: float
    p50_ms: float
    p95_ms: float
    parameters: int | None
    megabytes: float | None
    confusion: dict[str, dict[str, int]]
    by_label: list[LabelFigures]
    never_predicted: list[str]
    risk_coverage: RiskCoverage
    coverage: Coverage | None = None
    cascades: list[MeasuredCascade] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Score":
        """The reverse of :func:`dataclasses.asdict`."""
        curve = fields["risk_coverage"]
        parts = {
            "by_label": [LabelFigures(**label) for label in fields["by_label"]],
            "risk_coverage": RiskCoverage([RiskPoint(**point) for point in curve["points"]], curve["area"]),
            "coverage": Coverage(**fields["coverage"]) if fields["coverage"] else None,
            "cascades": [MeasuredCascade(**cascade) for cascade in fields["cascades"]],
            "disagreements": [Disagreement(**text) for text in fields["disagreements"]],
        }
        return cls(**fields | parts)


@dataclass(frozen=True)
class Reference:
    """A classifier that is fitted in seconds on the same gold labels; the fields are those of :class:`Score`.

    :param seconds: of the processor, for its training.
    """

    name: str
    accuracy: float
    macro_f1: float
    micro_f1: float | None
    average_precision: float | None
    valid: dict[str, float]
    p50_ms: float
    megabytes: float
    seconds: float


@dataclass(frozen=True)
class Column:
    """A column of figures that are shares.

    :param title: in the table.
    :param field: of :class:`Score` and :class:`Reference`.
    """

    title: str
    field: str

    def of(self, row: "Score | Reference") -> float | None:
        """A model's share; None where it was not measured."""
        share: float | None = getattr(row, self.field)
        return share


def figure_columns(task: Task, accuracy_name: str) -> list[Column]:
    """The columns of what is right and wrong, the most telling first.

    :param accuracy_name: what the share of right labels is called.
    """
    accuracy, macro_f1 = Column(accuracy_name, "accuracy"), Column("macro F1", "macro_f1")
    if not task.takes_several:
        return [accuracy, macro_f1]
    return [macro_f1, Column("micro F1", "micro_f1"), Column("average precision", "average_precision"), accuracy]


def score_table(
    scores: Sequence[Score], reference: Reference | None = None, columns: Sequence[Column] | None = None
) -> str:
    """A row a model, as the command line shows it.

    :param columns: of figures; default: those of one label a text.
    """
    columns = figure_columns(find_task(), find_task().accuracy_name) if columns is None else columns
    header = (*(column.title for column in columns), "ECE", "p50 ms", "p95 ms", "parameters", "MB")
    rows = [
        (
            score.name,
            *_shares(score, columns),
            f"{100 * score.calibration_error:.2f}",
            f"{score.p50_ms:.3f}",
            f"{score.p95_ms:.3f}",
            "" if score.parameters is None else f"{score.parameters:,}",
            "" if score.megabytes is None else f"{score.megabytes:.2f}",
        )
        for score in scores
    ]
    if reference:
        ms, megabytes = f"{reference.p50_ms:.3f}", f"{reference.megabytes:.2f}"
        rows.append((reference.name, *_shares(reference, columns), "", ms, "", "", megabytes))
    return table(("model", *header), rows)


def _shares(row: Score | Reference, columns: Sequence[Column]) -> list[str]:
    values = [column.of(row) for column in columns]
    return ["" if value is None else f"{100 * value:.2f}" for value in values]


@dataclass(frozen=True)
class Machine:
    """Where and when the milliseconds were measured.

    :param processor: its name, as the system gives it.
    :param cpus: that the process might use.
    """

    processor: str
    cpus: int
    date: str


@dataclass(frozen=True)
class Evaluation:
    """The scores, the teacher's first, and the machine they were measured on.

    :param reference: None with ``--no-reference_row``.
    :param is_gold: whether people labelled test; else accuracy is agreement with the teacher.
    :param problem_type: of the task.
    :param measure: the figure on valid that picks the best student; of ``loss`` the task's own does.
    """

    machine: Machine
    scores: list[Score]
    reference: Reference | None = None
    is_gold: bool = True
    problem_type: str = SINGLE_LABEL
    measure: Measure = "accuracy"

    @property
    def task(self) -> Task:
        """How many labels a text has."""
        return find_task(self.problem_type)

    @property
    def accuracy_name(self) -> str:
        """What the share of right labels is called."""
        return self.task.accuracy_name if self.is_gold else AGREEMENT

    @property
    def columns(self) -> list[Column]:
        """The columns of its table that are shares of test."""
        return figure_columns(self.task, self.accuracy_name)

    @property
    def headline(self) -> Column:
        """The column that says most in one number."""
        return self.columns[0]

    @property
    def teacher(self) -> Score:
        """The teacher's row."""
        return self.scores[0]

    @property
    def students(self) -> list[Score]:
        """The distilled students' rows."""
        return [score for score in self.scores if score.role == "student"]

    @property
    def best(self) -> Score:
        """The distilled student that is best on valid, of equals the first: it is ``student/``. Test does not pick."""
        figure = self.task.default_measure if self.measure == "loss" else self.measure
        return max(self.students, key=lambda score: score.valid[figure])


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write ``evaluation.json`` into a folder."""
    write_json(folder / EVALUATION, asdict(evaluation))


def read_evaluation(run: Path) -> Evaluation:
    """A run's ``evaluation.json``.

    :raises PotstillError: when there is none, or another version's.
    """
    path = run / "evaluation" / EVALUATION
    if not path.is_file() or own_manifest(path.parent) is None:
        raise PotstillError(f"{run}: no evaluation/{EVALUATION} in it; give the folder of a run that has finished")
    content = read_json(path)
    return Evaluation(
        machine=Machine(**content["machine"]),
        scores=[Score.from_json(score) for score in content["scores"]],
        reference=Reference(**content["reference"]) if content["reference"] else None,
        is_gold=content["is_gold"],
        problem_type=content["problem_type"],
        measure=content["measure"],
    )


def this_machine() -> Machine:
    """The machine that this process runs on, today."""
    info = Path("/proc/cpuinfo")  # Linux; elsewhere Python knows the name
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = next(filter(None, [*names, platform.processor(), platform.machine()]), "unknown")
    return Machine(processor, available_cpus(), date.today().isoformat())
