"""Runs an event loop beside the thread that asks, so that Ctrl-C and signals reach that thread and lose no answer."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

from potstill.teachers.language_model.asking import GRACE

_LOOK_EVERY = 0.1  # seconds between looks at how far it is
_PATIENCE = GRACE + 1.0  # seconds for the work to end when the command is ended


class Session:
    """One piece of asynchronous work in a thread of its own.

    :param work: gets a function, to be called with what is to be called when the work is to end early.
    """

    def __init__(self, work: Callable[[Callable[[Callable[[], None]], None]], Awaitable[None]]) -> None:
        self._work = work
        self._done = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._on_stop: Callable[[], None] | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="language model", daemon=True)

    def run(self, look: Callable[[], None]) -> None:
        """Do the work.

        :param look: is called in this thread, ten times a second.
        :raises BaseException: what the work raises; or what is raised here meanwhile, after what was under way.
        """
        self._thread.start()
        try:
            while not self._done.wait(_LOOK_EVERY):
                look()
        except BaseException:
            self._call(self._on_stop)
            self._done.wait(_PATIENCE)
            raise
        finally:
            if not self._done.is_set():
                self._call(self._cancel)
            self._thread.join(_PATIENCE)
        look()
        if self._error is not None:
            raise self._error

    def _call(self, function: Callable[[], None] | None) -> None:
        """Call a function in the thread of the loop."""
        if function is not None and self._loop is not None and not self._done.is_set():
            with suppress(RuntimeError):  # it was closed just now
                self._loop.call_soon_threadsafe(function)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # raised in the thread that asks
            self._error = error
        finally:
            self._done.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        await self._work(self._set_on_stop)

    def _set_on_stop(self, function: Callable[[], None]) -> None:
        self._on_stop = function
