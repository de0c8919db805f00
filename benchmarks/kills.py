"""Kills ``potstill distill`` at many points, runs it again, and compares the end with that of a run left alone.

    python benchmarks/kills.py --points 50

Two jobs: a run in a new folder, and a finished run with another learning rate, which replaces its students. Teacher,
data and vectors are the tests' stand-ins. Each job is watched once to its end, and then killed at points spread over
all its stages: in turn before an operation on a file, and in the middle of writing one. After every other two kills
all that was not complete is overwritten with noise, so that a reader of it would betray itself. The same command must
then end with the same files and figures, and make nothing again that was complete.

Each run is a fork of this process, which has imported the libraries: a fresh one would take seconds for that.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}  # before any import

import json
import random
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tyro

from potstill.artifacts import CARD, MANIFEST, REPORT, RUN
from potstill.corpus import streams
from potstill.labelling import label
from potstill.manifests import find_faults
from watching import Ended, Operation, Point, log_of, run

ROOT = Path(__file__).parents[1]
_SHARD_ROWS = 40  # so that there are several
_SLOW_TO_IMPORT = (
    "datasets", "onnxscript", "pyarrow.parquet", "sklearn.metrics", "potstill.export.onnx_files",
    "potstill.training.trainer",
)  # fmt: skip
_TIMES = ("seconds", "p50_ms", "p95_ms", "mean_ms", "date")


@dataclass(frozen=True)
class Options:
    """Kill a small potstill distill at many points and run it again."""

    points: int = 50
    """How many kills."""
    only: tuple[int, ...] = ()
    """The numbers of those to do; none: all."""


@dataclass(frozen=True)
class Job:
    """A command that is to be killed.

    :param start: the folder that it finds; None where it makes it.
    :param end: what it leaves when nobody kills it.
    :param operations: that it does then.
    """

    name: str
    command: list[str]
    start: Path | None
    end: Path
    operations: list[Operation]

    def groups(self) -> list[list[Point]]:
        """The points where it can be killed, a list a stage, each in the order of time."""
        groups: dict[str, list[Point]] = {}
        for operation in self.operations:
            for path, size in operation.written.items():
                groups.setdefault(stage_of(path), []).append(Point(operation.number - 1, path, size // 2))
            if operation.path:
                point = Point(operation.number, f"{operation.name} {operation.path}")
                groups.setdefault(stage_of(operation.path), []).append(point)
        return [group for group in groups.values() if len(group) > 1]


def stage_of(path: str) -> str:
    """The stage whose folder or working folder holds a path of the run folder."""
    parts = Path(path).parts
    head = parts[: 2 if parts[0] == "students" else 1]
    hidden = re.compile(r"^\.|\.(partial|replaced|lock)$")
    return "/".join(hidden.sub("", part) for part in head)


def spread(jobs: list[Job], n: int) -> Iterator[tuple[Job, Point]]:
    """Points spread over all jobs, their stages, and the time of each; every other one in the middle of writing.

    A stage has the more points the more happens in it, but fewer for each.
    """
    groups = [(job, group) for job in jobs for group in job.groups()]
    ends = np.cumsum([len(group) ** 0.5 for _, group in groups])
    turns = np.searchsorted(ends, (np.arange(n) + 0.5) / n * ends[-1]).tolist()
    for number, turn in enumerate(turns):
        job, group = groups[turn]
        fit = [point for point in group if (point.cut is not None) == bool(number % 2)] or group
        yield job, fit[(2 * (number - turns.index(turn)) + 1) * len(fit) // (2 * turns.count(turn))]


def add_noise(run_folder: Path, killed: Ended) -> None:
    """Overwrite what is neither complete in itself nor in a complete folder."""
    renamed = {operation.path for operation in killed.operations if operation.name == "os.rename"}
    for file in [file for file in run_folder.rglob("*") if file.is_file()]:
        folders = [folder for folder in file.parents if folder.is_relative_to(run_folder)]
        whole = str(file.relative_to(run_folder)) in renamed or any((folder / MANIFEST).is_file() for folder in folders)
        if not whole and file.name not in (RUN, ".inputs"):
            size = file.stat().st_size
            file.unlink()  # it may be the second name of a complete file
            file.write_bytes(random.Random(0).randbytes(size))


def completed(ended: Ended) -> set[str]:
    """The stages, shards and checkpoints that a process completed."""
    paths = set()
    for operation in ended.operations:
        path = Path(operation.path)
        is_stage = not path.suffix and not any(part.startswith(".") for part in path.parts)
        is_checkpoint = path.parent.name.startswith("checkpoint-") and path.name == MANIFEST
        if operation.name == "os.rename" and (is_stage or is_checkpoint or path.name.startswith("part-")):
            paths.add(operation.path)
    return paths


def contents(run_folder: Path) -> dict[str, Any]:
    """All files of a run folder, less times and what depends on them."""
    files: dict[str, Any] = {}
    for file in run_folder.rglob("*"):
        name = str(file.relative_to(run_folder))
        if file.name == MANIFEST:
            manifest = json.loads(file.read_text())
            files[name] = [manifest["inputs"], sorted(manifest["files"])]
        elif file.suffix == ".json":
            files[name] = without_times(json.loads(file.read_text()))
        elif file.is_file():
            files[name] = b"" if file.name in (CARD, REPORT) else file.read_bytes()  # they show times
    return files


def without_times(value: Any) -> Any:
    """A JSON value without the fields that hold times."""
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if name not in _TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def try_point(job: Job, point: Point, folder: Path, noise: bool) -> list[str]:
    """Kill a job at a point and run it again; what is wrong after that."""
    shutil.rmtree(folder, ignore_errors=True)
    if job.start:
        shutil.copytree(job.start, folder)
    killed = run(job.command, folder, point=point)
    if not killed.was_killed:
        return [f"it was not killed but ended with status {killed.status}"]
    if noise:
        add_noise(folder, killed)
    again = run(job.command, folder)
    if again.status != 0:
        return [f"status {again.status} when run again", *log_of(folder).read_text().splitlines()[-5:]]
    expected, actual = contents(job.end), contents(folder)
    differing = [name for name in sorted({*expected, *actual}) if expected.get(name) != actual.get(name)]
    wrong = [f"{name} is not as without the kill" for name in differing]
    wrong += [fault for manifest in folder.rglob(MANIFEST) for fault in find_faults(manifest.parent)]
    return wrong + [f"{path} was made again" for path in sorted(completed(killed) & completed(again))]


def watch_job(name: str, command: list[str], start: Path | None, folder: Path) -> Job:
    """Run a job to its end."""
    if start:
        shutil.copytree(start, folder)
    ended = run(command, folder, sizes=True)
    if ended.status != 0:
        raise SystemExit(f"{name}: status {ended.status}\n{log_of(folder).read_text()}")
    return Job(name, command, start, folder.rename(folder.with_name(name)), ended.operations)


def make_command(scratch: Path, folder: Path) -> list[str]:
    """A small potstill distill on the tests' stand-ins."""
    sys.path.append(str(ROOT / "tests"))
    from standins import write_data, write_encoder, write_vectors

    for name in ("data", "teacher"):
        (scratch / name).mkdir()
    return [
        *("distill", f"--data={write_data(scratch / 'data')}", f"--teacher={write_encoder(scratch / 'teacher')}"),
        *(f"--out={folder}", f"--embedding_path={write_vectors(scratch / 'vectors.txt')}", "--student=cnn"),
        *("--analyzer=whitespace", "--n_iter=3", "--n_frequent=50", "--teacher_epochs=3", "--teacher_batch_size=16"),
        *("--student_epochs=3", "--student_batch_size=32", "--gold_epochs=2", "--threads=1", "--processes=1"),
    ]


def import_libraries() -> None:
    """Import what a run takes most of its time to import."""
    for name in _SLOW_TO_IMPORT:
        import_module(name)


def main(options: Options) -> None:
    """Print each kill and how many of them were recovered from; the exit status is 1 when one was not."""
    import_libraries()
    vars(label)["PART_ROWS"] = _SHARD_ROWS
    streams.in_parts.__defaults__ = (_SHARD_ROWS,)
    n_recovered = n_tried = 0
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        command = make_command(Path(scratch), folder)
        new = watch_job("new", command, None, folder)
        redone = watch_job("redone", [*command, "--student_lr=0.001"], new.end, folder)
        for number, (job, point) in enumerate(spread([new, redone], options.points)):
            if number in (options.only or range(options.points)):
                noise = number % 4 >= 2
                wrong = try_point(job, point, folder, noise)
                n_tried += 1
                n_recovered += not wrong
                print(
                    f"{number:3} {job.name}, {point}{', noise' * noise}: {'; '.join(wrong) or 'recovered'}", flush=True
                )
    print(f"{n_recovered} of {n_tried} kills recovered")
    sys.exit(0 if n_recovered == n_tried else 1)


if __name__ == "__main__":
    main(tyro.cli(Options))
