"""Keeps answers in the cache as they arrive: those of one turn of the event loop in one transaction."""

import asyncio
from collections.abc import Callable
from typing import Any

from potstill.cache import Cache
from potstill.errors import PotstillError
from potstill.teachers.language_model.answers import Answer


class Keeper:
    """Answers by the names of their requests.

    A transaction each took another tenth of the processor's time of a request. At hundreds of answers a second a turn
    has about ten, and takes milliseconds.

    :param on_error: is called when answers cannot be kept, with the reason.
    """

    def __init__(self, cache: Cache, on_error: Callable[[PotstillError], None]) -> None:
        self._cache = cache
        self._on_error = on_error
        self._new: dict[str, Any] = {}

    def find(self, key: str) -> Answer | None:
        """The answer of that name, if there is one."""
        found = self._cache.look_up([key])
        return Answer.from_json(found[key]) if key in found else None

    def keep(self, key: str, value: Any) -> None:
        """Have something in JSON form on the disk at the end of this turn."""
        if not self._new:
            asyncio.get_running_loop().call_soon(self.flush)
        self._new[key] = value

    def flush(self) -> None:
        """Have all on the disk now."""
        try:
            self._cache.store(self._new)
        except PotstillError as error:
            self._on_error(error)
        self._new = {}
