"""What a process that forks leaves its child: threads do not live on there, and what has some must be made again."""

import os
from collections.abc import Callable
from functools import cache
from typing import Generic, TypeVar
from weakref import WeakSet

T = TypeVar("T")

_threaded: WeakSet[object] = WeakSet()


class PerProcess(Generic[T]):
    """Something with threads, which each process has of its own.

    :param make: makes it: now, and in a child at the first :meth:`get`.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made = os.getpid(), make()
        keep_in_children(self._made[1])

    def get(self) -> T:
        """This process's own."""
        process, value = self._made
        # No lock, which another thread might hold while the process forks: two threads may both make one.
        if process != os.getpid():
            value = self._make()
            self._made = os.getpid(), value
            keep_in_children(value)
        return value


def keep_in_children(value: object) -> None:
    """Never destroy a value in a child process: its destructor would wait for threads that are not there."""
    _register()
    _threaded.add(value)


@cache
def _register() -> None:
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no forks
        os.register_at_fork(after_in_child=_keep)


def _keep() -> None:
    import ctypes

    for value in list(_threaded):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
    _threaded.clear()
