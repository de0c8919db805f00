"""How processes end: a command by a signal, and a worker with the process that started it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import TypeVar

Item = TypeVar("Item")

_SIGNALS = ("SIGTERM", "SIGHUP")  # the second where a terminal is closed; Windows has none


class Terminated(KeyboardInterrupt):
    """A signal asked this process to end: like Ctrl-C, so that whatever is cleaned up after that is cleaned up here.

    :ivar number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def terminable() -> Iterator[None]:
    """Let :class:`Terminated` be raised by the signals that end a process; one that is handled or ignored stays so."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other one may set handlers
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminate(number: int, _: FrameType | None) -> None:
    raise Terminated(number)


_unwanted = threading.Event()  # set in a worker when nobody waits for its results any more
_GRACE = 2.0  # seconds that it has for its last one: cut short, the parent would wait for the rest


def end_with_parent(pipe: Connection) -> None:
    """End this worker, a process of ``multiprocessing``, with the one that started it, however that ends.

    :param pipe: its other end is closed by the parent when it waits for results no more, or as it ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all: the parent ends its workers
    signal.signal(signal.SIGTERM, lambda *_: _in_background(_end))
    # Not by PR_SET_PDEATHSIG: it is Linux's alone, and fires when the thread ends that started this process.
    _in_background(_watch, pipe)


def while_wanted(items: Iterable[Item]) -> Iterator[Item]:
    """The items; in a worker only for as long as anybody waits for its results."""
    iterator = iter(items)
    while not _unwanted.is_set():
        try:
            yield next(iterator)
        except StopIteration:
            return


def _watch(pipe: Connection) -> None:
    wait([pipe])
    _end()


def _end() -> None:
    _unwanted.set()
    time.sleep(_GRACE)
    os._exit(1)


def _in_background(function: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=function, args=arguments, daemon=True).start()
