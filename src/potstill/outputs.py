"""Outputs that a user names: files, links, devices, pipes, and standard output under any of its names."""

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from potstill.artifacts import atomic_file, writing
from potstill.errors import PotstillError

STANDARD = Path("-")  # standard input or output


@contextmanager
def text_output(path: Path) -> Iterator[IO[str]]:
    """Open what a user names to write text to, as :func:`atomic_file` does; standard output under any name too.

    :raises PotstillError: when the place cannot be written.
    """
    if is_standard_output(path):
        if sys.stdout is None:
            raise PotstillError("standard output is closed: send it somewhere, or name a file")
        if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
            sys.stdout.reconfigure(encoding="utf-8")  # as files are; a pipe's is cp1252 on Windows
        with writing(Path("standard output")):
            yield sys.stdout
            sys.stdout.flush()
        return
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        yield file


def is_standard_output(path: Path) -> bool:
    """Whether a path means standard output: ``-``, ``/dev/stdout``, or the file that it goes to."""
    if path == STANDARD:
        return True
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


def check_apart(output: Path, inputs: Iterable[Path]) -> None:
    """Check that an output is none of the files that it is made from.

    :raises PotstillError: when it is one, under whatever name.
    """
    for path in inputs:
        if _is_same(path, output) and not _is_device(path):
            raise PotstillError(f"{output}: is an input too, and would be overwritten: choose another output")


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one is missing, or cannot be reached: whoever opens it says so
        return False


def _is_device(path: Path) -> bool:
    return path.is_char_device() or path.is_block_device()
