"""Verify: whether a folder is what it claims to be: its files' hashes, what was made from what, the table's figures."""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from potstill.artifacts import (
    EVALUATION,
    MANIFEST,
    ONNX_FILES,
    RUN,
    hash_json,
    read_json,
)
from potstill.errors import PotstillError, require
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.measuring import Model, score_models
from potstill.evaluation.results import Score, read_evaluation
from potstill.manifests import find_faults
from potstill.model_folder import ModelFolder
from potstill.progress import Progress, silent
from potstill.runs.contents import read_record, read_split
from potstill.teachers.recorded import is_recorded

_LAST = ("evaluation", "student")  # the stages that a finished run has, and that all others are made for
_COMPARED = (  # of a model's own predictions; no times, and no megabytes: export may have written other files since
    "accuracy", "correct", "total", "macro_f1", "micro_f1", "average_precision", "valid", "calibration_error",
    "uncalibrated_error", "parameters", "confusion", "by_label", "never_predicted", "coverage",
)  # fmt: skip
_TOLERANCE = 1e-6  # of figures that are no counts: another number of threads adds them up in another order


@dataclass(frozen=True)
class VerifyOptions:
    """Check whether a run is what it claims to be: hash all its files, and measure its models again."""

    folder: Annotated[Path, tyro.conf.Positional]
    """A run's folder; or one with a manifest.json, such as a student's, whose files are only hashed."""


@dataclass(frozen=True)
class Verified:
    """The result of a check.

    :param n_files: in folders without a fault.
    :param n_models: that were measured again.
    :param faults: each difference from what the folder claims, a line.
    """

    folder: Path
    n_files: int
    n_models: int
    faults: list[str]

    def __str__(self) -> str:
        if self.faults:
            return "\n".join([*self.faults, f"{self.folder}: faults found: {len(self.faults)}"])
        measured = f", and {self.n_models} models predict as its table says" if self.n_models else ""
        return f"{self.folder}: {self.n_files} files are as they were written{measured}"


def verify(options: VerifyOptions, progress: Progress = silent) -> Verified:
    """Verify a folder; nothing in it is changed.

    :raises PotstillError: when it is neither a run's nor one with a manifest.
    """
    folder = options.folder
    if (folder / RUN).is_file():
        return _verify_run(folder, progress)
    if not (folder / MANIFEST).is_file():
        raise PotstillError(f"{folder}: neither {RUN} nor {MANIFEST} in it; give the folder of a run, or of a model")
    faults = find_faults(folder)
    return Verified(folder, 0 if faults else _n_files(folder), 0, faults)


def _n_files(folder: Path) -> int:
    return len(read_json(folder / MANIFEST)["files"])


def _verify_run(run: Path, progress: Progress) -> Verified:
    require("train", "pyarrow", "sklearn")
    record = read_record(run)
    if not isinstance(record.get("stages"), dict):
        raise PotstillError(f"{run / RUN}: lists no stages; give the potstill distill command of this run again")
    stages = sorted({*record["stages"], *_found_stages(run)})
    faults = [f"{run / stage}: does not exist: the run did not finish" for stage in _LAST if stage not in stages]
    whole = []
    with progress("hashing", len(stages)) as bar:
        for stage in stages:
            faults_of_stage = find_faults(run / stage)
            faults += faults_of_stage
            whole += [] if faults_of_stage else [stage]
            bar.update(1)
    faults += _broken_links(run, record, whole)
    rows, faults_of_table = _rows(run, whole)
    faults += faults_of_table
    with progress("measuring", len(rows)) as bar:
        for row in rows:
            faults += _wrong_figures(run, row)
            bar.update(1)
    return Verified(run, sum(_n_files(run / stage) for stage in whole), len(rows), faults)


def _found_stages(run: Path) -> list[str]:
    """The folders with a manifest in the places of stages."""
    places = ("*", "teachers/*", "students/*")
    folders = [path.parent.relative_to(run) for place in places for path in run.glob(f"{place}/{MANIFEST}")]
    return [str(folder) for folder in folders if not folder.name.startswith(".")]


def _broken_links(run: Path, record: dict[str, Any], whole: list[str]) -> list[str]:
    """Stages that were made from other inputs than ``run.json`` says, or from another version of a stage."""
    inputs = {stage: read_json(run / stage / MANIFEST)["inputs"] for stage in whole}
    hashes = {stage: hash_json(inputs_of_stage) for stage, inputs_of_stage in inputs.items()}
    faults = []
    for stage in whole:
        noted = record["stages"].get(stage)
        if not isinstance(noted, dict) or noted.get("inputs") != hashes[stage]:
            faults.append(f"{run / stage}: was made from other inputs than {RUN} says")
    if "data" in whole and inputs["data"].get("data") != record.get("data"):
        faults.append(f"{run / 'data'}: was made from other sources than {RUN} says")
    for stage in _reached(inputs):
        for name, linked in _links(inputs[stage], stage):
            if linked != hashes.get(name, linked):
                faults.append(f"{run / stage}: was made from another {name} than the one that exists")
    return faults


def _links(inputs: dict[str, Any], stage: str) -> list[tuple[str, str]]:
    """The earlier stages that a stage was made from, with their hashes; an option is no hash, or has another name."""
    return [(name, value) for name, value in inputs.items() if name != stage and _is_hash(value)]


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64


def _reached(inputs: dict[str, dict[str, Any]]) -> list[str]:
    """The stages that the table depends on; a student that later commands left out may depend on older ones."""
    reached, left = list[str](), list(_LAST)
    while left:
        stage = left.pop()
        if stage in inputs and stage not in reached:
            reached.append(stage)
            left += [name for name, _ in _links(inputs[stage], stage)]
    return reached


def _rows(run: Path, whole: list[str]) -> tuple[list[Score], list[str]]:
    """The table's rows, as far as they can be measured again, with a row for ``student``; or why there are none."""
    if not {"data", "evaluation"} <= set(whole):
        return [], []
    try:
        evaluation = read_evaluation(run)
    except PotstillError as error:
        return [], [str(error)]
    rows = [*evaluation.scores, replace(evaluation.best, folder="student")]
    return [row for row in rows if row.folder in whole], _wrong_student(run, evaluation.best.folder, whole)


def _wrong_student(run: Path, best: str, whole: list[str]) -> list[str]:
    """``student`` with other weights than the best on valid."""
    weights = {ModelFolder(run / folder).weights_hash for folder in {best, "student"} & set(whole)}
    return [f"{run / 'student'}: has other weights than {best}, the best on valid"] if len(weights) > 1 else []


def _wrong_figures(run: Path, row: Score) -> list[str]:
    """Measure a model again, in each precision that it has a file for: one of them was measured for the table."""
    test, valid = (Labelled.of(read_split(run, split)) for split in ("test", "valid"))
    claimed, wrong = asdict(row), list[str]()
    precisions = [None] if is_recorded(run / row.folder) else ModelFolder(run / row.folder).precisions
    for precision in precisions:
        model = Model(row.name, row.role, row.folder, precision)
        try:
            measured = asdict(score_models([model], run, test=test, valid=valid)[0])
        except PotstillError as error:
            return [str(error)]
        differing = [name for name in _COMPARED if not _is_same(measured[name], claimed[name])]
        if not differing:
            return []
        figures = ", ".join(_difference(name, measured[name], claimed[name]) for name in differing)
        wrong = wrong or [f"{run / row.folder}: measured again, {figures} as in {EVALUATION}"]
    return wrong or [f"{run / row.folder}: no {ONNX_FILES['fp32']} in it"]


def _difference(name: str, measured: object, claimed: object) -> str:
    """A figure that differs; of tables of figures the name alone, as they may be long."""
    if isinstance(measured, list | dict) or isinstance(claimed, list | dict):
        return f"{name} is not"
    return f"{name} is {measured} and not {claimed}"


def _is_same(measured: object, claimed: object) -> bool:
    """Whether two figures, or all in two lists or objects of them, are the same."""
    if isinstance(measured, dict) and isinstance(claimed, dict):
        return measured.keys() == claimed.keys() and all(_is_same(measured[name], claimed[name]) for name in measured)
    if isinstance(measured, list) and isinstance(claimed, list):
        return len(measured) == len(claimed) and all(map(_is_same, measured, claimed))
    if isinstance(measured, float) and isinstance(claimed, float):
        return math.isclose(measured, claimed, abs_tol=_TOLERANCE)
    return measured == claimed
