"""A run folder: a stage is made once, made again when its inputs change, and resumed after a kill."""

import importlib.metadata
import logging
import platform
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from potstill.artifacts import (
    FORMAT,
    REPORT,
    RUN,
    RUN_LOCK,
    atomic_folder,
    check_format,
    check_replaceable,
    hash_json,
    not_ours,
    peek_manifest,
    read_manifest,
    read_object,
    write_json,
    writing,
)
from potstill.augment.analyzers import ANALYZERS
from potstill.errors import PotstillError
from potstill.locks import locked
from potstill.runs.contents import read_record
from potstill.runs.job import AnyJob, Stage

logger = logging.getLogger(__name__)

_RECORDED = ("potstill", "torch", "transformers", "tokenizers", "onnxruntime", "datasets", "numpy")


Resolved = tuple[Stage, dict[str, Any]]
"""A stage with all its inputs."""


def resolve(stages: Iterable[Stage]) -> Iterator[Resolved]:
    """Each stage with all its inputs: its own, and for each stage that it reads the hash of that stage's inputs.

    So a change of a stage's inputs changes the inputs of the stages after it.
    """
    hashes: dict[str, str] = {}
    for stage in stages:
        inputs = stage.inputs | {name: hashes[name] for name in stage.after}
        hashes[stage.name] = hash_json(inputs)
        yield stage, inputs


def describe_state(folder: Path, inputs: dict[str, Any]) -> str:
    """Whether a stage's folder is done, and if not, why; nothing is changed.

    :param inputs: all that it depends on, see :func:`resolve`.
    """
    manifest = peek_manifest(folder)
    if manifest is None:
        return "not made yet"
    changes = _describe_changes(manifest["inputs"], inputs)
    return f"to be made again, because {changes}" if changes else "done"


def check_folder(job: AnyJob, stages: Sequence[Resolved]) -> None:
    """Check that a run replaces nothing but what its own command has made; nothing is written.

    :raises PotstillError: naming what is in the way, or when another version or command made the run.
    """
    is_ours = _is_run(job)
    if not is_ours and (job.folder / REPORT).exists():
        raise not_ours(job.folder / REPORT)
    for stage, inputs in stages:
        folder = job.folder / stage.name
        for parent in folder.parents[: stage.name.count("/")]:
            if parent.exists() and not parent.is_dir():
                raise not_ours(parent)
        check_replaceable(folder)
        manifest = peek_manifest(folder)
        if not is_ours and manifest is not None and manifest["inputs"] != inputs:
            raise PotstillError(f"{folder}: belongs to no run, as there is no {job.folder / RUN}: choose another --out")


def _is_run(job: AnyJob) -> bool:
    """Whether there is a run of the same command."""
    if not (job.folder / RUN).exists():
        return False
    record = read_object(job.folder / RUN)
    if not isinstance(record.get("config"), dict) or not isinstance(record.get("versions"), dict):
        raise not_ours(job.folder / RUN)  # other programs have files of that name too
    check_format(job.folder, RUN, record)
    command = record.get("command", job.command)
    if command != job.command:
        raise PotstillError(f"{job.folder}: made by potstill {command}: choose another --out, or remove it")
    return True


@contextmanager
def open_run(job: AnyJob, stages: Iterable[Stage]) -> Iterator["Run"]:
    """The run of a job, for one process at a time. Its folder is made where it is missing.

    :raises PotstillError: when another process works on it, or see :func:`check_folder`.
    """
    resolved = list(resolve(stages))
    check_folder(job, resolved)
    with ExitStack() as stack:
        with writing(job.folder):
            job.folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(job.folder, job.folder / RUN_LOCK))
        yield Run(job, resolved)


class Run:
    """One run folder and its ``run.json``."""

    def __init__(self, job: AnyJob, stages: Sequence[Resolved]) -> None:
        self._job = job
        self._stages = stages
        record = read_record(job.folder) if (job.folder / RUN).is_file() else {}
        self._record: dict[str, Any] = {
            "format": FORMAT,
            "command": job.command,
            "config": {name: _to_json(value) for name, value in asdict(job.options).items()},
            "versions": _find_versions(),
            "data": job.sources,
            "stages": record.get("stages", {}),
        }
        self._write()

    def make_all(self) -> None:
        """Make the folder of each stage that does not exist already, with the same inputs."""
        for stage, inputs in self._stages:
            self._make(stage, inputs)

    def _make(self, stage: Stage, inputs: dict[str, Any]) -> None:
        folder = self._job.folder / stage.name
        manifest = read_manifest(folder)
        if manifest is not None and manifest["inputs"] == inputs:
            logger.info("%s: done already", stage.name)
            if self._record["stages"].get(stage.name, {}).get("inputs") != hash_json(inputs):
                self._note(stage, inputs, None)  # it was killed between the stage's last step and this
            return
        if manifest is not None:
            logger.info("%s: again, because %s", stage.name, _describe_changes(manifest["inputs"], inputs))
        began = time.time()
        with atomic_folder(folder, inputs) as work:
            stage.build(self._job, work)
        self._note(stage, inputs, round(time.time() - began, 1))

    def _note(self, stage: Stage, inputs: dict[str, Any], seconds: float | None) -> None:
        self._record["stages"][stage.name] = {"inputs": hash_json(inputs), "seconds": seconds}
        self._write()

    def _write(self) -> None:
        write_json(self._job.folder / RUN, self._record)


def _to_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _find_versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in (*_RECORDED, *(package for analyzer in ANALYZERS.values() for package in analyzer.packages)):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _describe_changes(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The differences in words: options with both values, earlier stages by name."""
    changes = []
    for name in sorted(set(old) | set(new)):
        if old.get(name) == new.get(name):
            continue
        values = [str(side.get(name)) for side in (old, new)]
        is_long = max(map(len, values)) > 40
        changes.append(f"{name} changed" if is_long else f"{name} was {values[0]} and is {values[1]}")
    return ", ".join(changes)
