"""Whatever a user names to be read: a regular file, a link to one, a device, or a pipe, which gives its bytes once."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from potstill.errors import PotstillError

_WAYS_OUT = {
    errno.EACCES: "ask its owner for the right",
    errno.EPERM: "ask its owner for the right",
    errno.EISDIR: "give a file",
    errno.EIO: "check the disk",
    errno.ENAMETOOLONG: "give a shorter name",
}
# What else the system says of a file that a user has named; other errors are not about a file.
_REFUSALS = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ENOSPC,
    errno.EROFS,
    errno.ELOOP,
    errno.EBUSY,
    errno.ENXIO,
}
_LONGEST_NAME = 230  # bytes of a file name that leave room for another beginning and ending
LFS_POINTER = b"version https://git-lfs"  # how a file begins that Git LFS has not fetched yet
IS_POINTER = "a pointer of Git LFS, not the file itself; fetch it: git lfs pull"
_OPENED = (("/", "dev"), ("/", "proc"))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the system's refusal to read (no permission, a folder, a bad disk) into one line that names the place."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # a library's own error, which happens to be an OSError
            raise
        raise PotstillError(describe(error, path, "cannot be read")) from None


def is_refusal(error: OSError) -> bool:
    """Whether the system refused a file; libraries' own errors may be ``OSError`` too, and a network's are."""
    return error.errno in _WAYS_OUT or error.errno in _REFUSALS


def describe(error: OSError, path: Path | None, what: str) -> str:
    """The system's error as one line.

    :param path: what to name where the error names no file.
    :param what: did not work.
    """
    place = path if error.filename is None else os.fsdecode(error.filename)
    if error.errno == errno.ENOENT:
        return f"{place}: no such file"
    line = f"{what} ({os.strerror(error.errno or 0)}); {_WAYS_OUT.get(error.errno or 0, 'check the place')}"
    return line if place is None else f"{place}: {line}"


def check_input(path: Path) -> None:
    """Check that there is something to read, without reading it. A pipe is not opened: what it gives would be lost.

    :raises PotstillError: when there is nothing, it is a folder, or this user may not read it.
    """
    with reading(path):
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            path.open("rb").close()


def is_input(path: Path) -> bool:
    """Whether there is something to read: a file, a link to one, a device or a pipe.

    :raises PotstillError: when the system does not say.
    """
    with reading(path):
        return path.exists() and not path.is_dir()


def is_stream(path: Path) -> bool:
    """Whether a path is a pipe, or a name of what the shell has opened, such as ``/dev/stdin``: it has no ending."""
    with reading(path):
        return path.is_fifo() or path.is_char_device() or (path.is_file() and path.parts[:2] in _OPENED)


def check_readable(path: Path) -> None:
    """Read a file to its end: what the system does not give is no damage, nor is what Git LFS has not fetched.

    :raises PotstillError: when it cannot be read, or is a pointer of Git LFS.
    """
    with reading(path), path.open("rb", buffering=0) as file:
        is_pointer = file.read(len(LFS_POINTER)) == LFS_POINTER
        while file.read(1 << 20):
            pass
    if is_pointer:
        raise PotstillError(f"{path}: {IS_POINTER}")


def check_readable_files(folder: Path) -> None:
    """The same of each file of a folder."""
    with reading(folder):
        files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    for file in files:
        check_readable(file)


def rereadable(path: Path) -> Path:
    """A file that can be read any number of times and in any order: the one that is named, or a copy of a pipe's bytes.

    :raises PotstillError: when there is nothing to read.
    """
    check_input(path)
    return path if path.is_file() else _copy_of(path)


@cache
def _copy_of(path: Path) -> Path:
    """What a pipe or a device gives, in a temporary file that is removed at the end of the process."""
    import shutil  # here: potstill.load to the first answer does without it

    copy = _scratch() / f"{len(list(_scratch().iterdir()))}{path.suffix}"
    with reading(path), path.open("rb") as source, copy.open("wb") as target:
        shutil.copyfileobj(source, target)
    return copy


@cache
def _scratch() -> Path:
    import atexit
    import shutil
    import tempfile  # here: potstill.load to the first answer does without it

    folder = Path(tempfile.mkdtemp(prefix="potstill-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def beside(path: Path, kind: str) -> Path:
    """A hidden name next to a file or folder; where that is a link, next to its target."""
    path = target_of(path.absolute())  # "." has no name
    name = path.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        import hashlib  # here: potstill.load to the first answer does without it

        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return path.with_name(f".{name}.{kind}")


def target_of(path: Path) -> Path:
    """What a link points to, which need not exist; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path
