"""A process that is watched while it works on the files of a folder, and killed at a given point. Linux only.

An audit hook sees each operation on a file before it is done; the code that runs is not changed.
"""

import json
import os
import resource
import signal
import sys
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from potstill.cli import main

_DIR_FD = {"os.rename": 3, "os.link": 3, "os.mkdir": 2, "os.remove": 1, "os.rmdir": 1}  # which argument is one
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Operation:
    """An operation that is about to be done on a file of the folder.

    :param path: within the folder; of a renaming the new one.
    :param written: the files that were written since the operation before it, with their sizes.
    """

    number: int
    name: str
    path: str
    written: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """Where a process is killed.

    :param operation: before this one, by SIGKILL; or, with ``cut``, once a file grows beyond so many bytes after it has
        begun: by the kernel's limit on the size of files, which holds for every library.
    :param path: of the operation, or of the file that is written.
    """

    operation: int
    path: str
    cut: int | None = None

    def __str__(self) -> str:
        return f"before {self.path}" if self.cut is None else f"within {self.path}"


@dataclass(frozen=True)
class Ended:
    """A process that has ended.

    :param status: its exit status; of one that a signal ended, that signal's number with a minus.
    :param operations: those that it did.
    """

    status: int
    operations: list[Operation]

    @property
    def was_killed(self) -> bool:
        """Whether it was killed at its point."""
        return self.status in (-signal.SIGKILL, -signal.SIGXFSZ)


class _Watch:
    """The audit hook.

    :param pipe: where operations are reported, a line of JSON each.
    :param sizes: report the written files too, which reads the whole folder each time.
    """

    def __init__(self, folder: Path, pipe: int, point: Point | None, sizes: bool) -> None:
        self._folder, self._pipe, self._point, self._sizes = folder, pipe, point, sizes
        self._number = 0
        self._seen: dict[int, tuple[int, int]] = {}
        self._written()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Called by Python at every event."""
        if event in _DIR_FD or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES):
            path = self._inside(event, arguments)
            if path is not None:
                self.note(event, path)

    def _inside(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        """The path within the folder, or None for one elsewhere."""
        argument = arguments[1 if event in ("os.rename", "os.link") else 0]
        if isinstance(argument, int):
            return None
        at = arguments[_DIR_FD[event]] if event in _DIR_FD else -1
        path = (Path(f"/proc/self/fd/{at}").readlink() if at >= 0 else Path.cwd()) / os.fsdecode(argument)
        is_inside = path.is_relative_to(self._folder) and path != self._folder
        return str(path.relative_to(self._folder)) if is_inside else None

    def note(self, name: str, path: str) -> None:
        """Report an operation, unless the process is to be killed here."""
        operation = Operation(self._number, name, path, self._written() if self._sizes else {})
        if self._point and self._point.operation == self._number:
            if self._point.cut is None:
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                resource.setrlimit(resource.RLIMIT_FSIZE, (self._point.cut, self._point.cut))
        os.write(self._pipe, json.dumps(asdict(operation)).encode() + b"\n")
        self._number += 1

    def _written(self) -> dict[str, int]:
        """The files written since the last call; a file that was only renamed or linked is none of them."""
        sizes = {}
        for file in self._folder.rglob("*"):
            stat = file.stat()
            state = (stat.st_size, stat.st_mtime_ns)
            if file.is_file() and self._seen.get(stat.st_ino) != state and stat.st_size > 1:
                sizes[str(file.relative_to(self._folder))] = stat.st_size
            self._seen[stat.st_ino] = state
        return sizes


def run(command: list[str], folder: Path, *, point: Point | None = None, sizes: bool = False) -> Ended:
    """Run a command of potstill on a folder in a fork of this process.

    Its output goes to a file next to the folder (:func:`log_of`), unless it is to be killed.
    """
    report, pipe = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(report)
        _work(command, folder, pipe, point, sizes)
    os.close(pipe)
    with os.fdopen(report) as lines:
        operations = [Operation(**json.loads(line)) for line in lines]
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), operations)


def log_of(folder: Path) -> Path:
    """Where the output of a run on a folder goes."""
    return folder.with_name(f"{folder.name}.log")


def _work(command: list[str], folder: Path, pipe: int, point: Point | None, sizes: bool) -> NoReturn:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it: a write would fail and the process live on
    output = os.open(os.devnull if point else log_of(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for standard in (1, 2):
        os.dup2(output, standard)
    watch = _Watch(folder, pipe, point, sizes)
    sys.addaudithook(watch)
    status = 0
    try:
        main(command)
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        status = 1
    watch.note("end", "")
    sys.stdout.flush()
    os._exit(status)
