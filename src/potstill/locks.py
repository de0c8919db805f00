"""One process at a time works on a file or a folder.

The lock is the kernel's (``flock``), on a small file that names its holder. It ends with the process, however that
ends: a file that a kill has left is taken over. A child that is forked meanwhile would hold it too; nothing here forks.
"""

import errno
import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from potstill.errors import PotstillError, shown
from potstill.files import beside

logger = logging.getLogger(__name__)

_UNKNOWN_HERE = (
    errno.EINVAL,
    errno.ENOLCK,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
)  # of some network file systems
_LOOK_EVERY = 0.05  # seconds


class Locked(PotstillError):
    """Another process works on it."""


@contextmanager
def locked(path: Path, file: Path | None = None, *, patience: float = 0) -> Iterator[None]:
    """Keep other processes from working on a file or a folder; on a file system without locks, only warn.

    :param file: the file that is locked; default: that of :func:`lock_of`. Its folder must exist.
    :param patience: seconds to wait for another process.
    :raises Locked: when another process works on it for longer.
    """
    lock = file or lock_of(path)
    descriptor = _take(path, lock, time.monotonic() + patience)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()  # while it is held: whoever waits then finds that this file is no longer the lock
        os.close(descriptor)


def lock_of(path: Path) -> Path:
    """The hidden file next to ``path`` that is locked."""
    return beside(path, "lock")


def _take(path: Path, lock: Path, deadline: float) -> int:
    while True:
        with ExitStack() as undo:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
            undo.callback(os.close, descriptor)
            is_free = _try_lock(descriptor)
            if is_free and _is_at(lock, descriptor):
                undo.pop_all()
                _sign(descriptor)
                return descriptor
            if not is_free and time.monotonic() >= deadline:
                raise Locked(
                    f"{path}: {_holder(descriptor)} is working on it: wait until it ends, or choose another name"
                )
        if not is_free:
            time.sleep(_LOOK_EVERY)


def _try_lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # on Windows
        _warn_once()
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNKNOWN_HERE:
            raise
        _warn_once()
    return True


@cache
def _warn_once() -> None:
    logger.warning("no locks on this system or file system: do not start the same command twice")


def _is_at(lock: Path, descriptor: int) -> bool:
    """Whether the open file is still the one of that name; its holder removes it at the end."""
    try:
        return os.path.samestat(lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    with suppress(OSError):  # a full disk: the lock holds without a name
        os.truncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())


def _holder(descriptor: int) -> str:
    return shown(os.read(descriptor, 200).decode(errors="replace")) or "another process"
