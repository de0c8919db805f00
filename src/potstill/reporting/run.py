"""What a report tells of one run, read from its folder. Computes no figure: those are ``evaluation.json``'s."""

import shlex
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from potstill.artifacts import RUN, TRAINING, read_json
from potstill.corpus.splits import SPLITS
from potstill.errors import PotstillError
from potstill.evaluation.results import Evaluation, Score, read_evaluation
from potstill.reporting.teacher import TeacherAudit, read_audit
from potstill.reporting.transfer import Composition, find_composition
from potstill.runs.contents import read_record, run_labels
from potstill.runs.options import DistillOptions
from potstill.teachers.black_boxes import PYTHON

FROM_PYTHON = "texts that a Python caller gave"


@dataclass(frozen=True)
class Curve:
    """How a training went.

    :param points: of each evaluation on valid the epoch and the share that heads the table; empty where the model was
        used as it is.
    :param is_rising: whether the model had more to learn when it ended.
    """

    score: Score
    points: list[tuple[float, float]]
    is_rising: bool


@dataclass(frozen=True)
class RunReport:
    """One run.

    :param name: that the page calls it.
    :param record: ``run.json``.
    :param sizes: texts of each split.
    :param options: every option by name, as it would be written on the command line.
    :param command: the command that makes the run again, as far as it can be one.
    :param data: where the texts came from.
    :param audit: of a language model as the teacher.
    """

    name: str
    record: dict[str, Any]
    evaluation: Evaluation
    labels: list[str]
    sizes: dict[str, int]
    curves: list[Curve]
    transfer_set: Composition
    options: dict[str, str]
    command: str
    data: str
    audit: TeacherAudit | None

    @property
    def is_command(self) -> bool:
        """Whether the command makes the run: no Python caller gave objects."""
        return self.data != FROM_PYTHON and not self.options["teacher"].startswith(f"{PYTHON}:")


def read_run(folder: Path, name: str) -> RunReport:
    """Read a finished run.

    :param name: that the page calls it.
    :raises PotstillError: when the folder is not a run's, or the run has not finished.
    """
    if not (folder / RUN).is_file():
        raise PotstillError(f"{folder}: no {RUN} in it; give the folder of a run, which potstill distill made")
    evaluation = read_evaluation(folder)
    record = read_record(folder)
    return RunReport(
        name=name,
        record=record,
        evaluation=evaluation,
        labels=run_labels(folder),
        sizes={split: count_rows(folder / "data" / f"{split}.parquet") for split in SPLITS},
        curves=[
            _read_curve(score, folder / score.folder / TRAINING, evaluation.headline.field)
            for score in evaluation.scores
        ],
        transfer_set=find_composition(folder),
        options={option.name: option.shown for option in _options(record["config"])},
        command=write_command(record["config"]),
        data=data_source(record["config"]),
        audit=read_audit(folder),
    )


def data_source(config: dict[str, Any]) -> str:
    """Where a run's texts came from: its data, or its texts without labels.

    :param config: the run's options.
    """
    return config["data"] or " ".join(config["unlabelled"]) or FROM_PYTHON


def count_rows(path: Path) -> int:
    """The rows of a Parquet file, from its end alone."""
    import pyarrow.parquet

    return int(pyarrow.parquet.read_metadata(path).num_rows)


def _read_curve(score: Score, path: Path, figure: str) -> Curve:
    if not path.is_file():
        return Curve(score, [], is_rising=False)
    training = read_json(path)
    points = [(entry["epoch"], entry[figure]) for entry in training["evaluations"]]
    return Curve(score, points, training["is_rising"])


@dataclass(frozen=True)
class _Option:
    """An option of a run; values as JSON has them.

    :param default: None where there is none.
    """

    name: str
    value: Any
    default: Any

    @property
    def words(self) -> list[str]:
        """Its value as words of a command line."""
        return [str(value) for value in (self.value if isinstance(self.value, list) else [self.value])]

    @property
    def shown(self) -> str:
        """Its value for people."""
        return "default" if self.value is None else " ".join(self.words)


def _options(config: dict[str, Any], kind: Any = DistillOptions) -> Iterator[_Option]:
    """A configuration's options, those of its parts among them."""
    types = get_type_hints(kind)
    for option in fields(kind):
        if is_dataclass(types[option.name]):
            yield from _options(config[option.name], types[option.name])
        else:
            default = list(option.default) if isinstance(option.default, tuple) else option.default
            yield _Option(option.name, config[option.name], None if default is MISSING else default)


def write_command(config: dict[str, Any]) -> str:
    """The command of a run's ``config``, an option a line; those that have their default are left out."""
    lines = ["potstill distill"]
    for option in _options(config):
        if option.value == option.default:
            continue
        if isinstance(option.value, bool):
            lines.append(f"--{'' if option.value else 'no-'}{option.name}")
        else:
            lines.append(shlex.join([f"--{option.name}", *option.words]))
    return " \\\n  ".join(lines)
