"""How long work reports its progress. The library only calls it; the command line, or a Python caller, shows it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol


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


class _TqdmBar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def update(self, n: int) -> None:
        self._bar.update(n)

    def note(self, text: str) -> None:
        self._bar.set_postfix_str(text, refresh=False)  # with the next update: a log has a line every half minute


@contextmanager
def bars(description: str, total: int) -> Iterator[Bar]:
    """Bars of tqdm: in a notebook, or on standard error; where that is no terminal, a line every half minute."""
    from tqdm.auto import tqdm

    interval = 0.1 if sys.stderr.isatty() or "ipykernel" in sys.modules else 30
    with tqdm(total=total or None, desc=description, mininterval=interval, maxinterval=2 * interval) as bar:
        yield _TqdmBar(bar)
