"""How long work reports its progress. The library only calls it; the command line decides what is shown."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Bar(Protocol):
    """One piece of work under way."""

    def update(self, n: int) -> None:
        """Report that ``n`` more units are done."""

    def note(self, text: str) -> None:
        """Show a short text next to the bar, such as the loss."""


Progress = Callable[[str, int], AbstractContextManager[Bar]]
"""``progress(description, total)`` opens a bar of ``total`` units, 0 where that is not known."""


class _SilentBar:
    def update(self, n: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass


@contextmanager
def silent(description: str, total: int) -> Iterator[Bar]:
    """Show nothing: the default wherever a :data:`Progress` is taken."""
    yield _SilentBar()
