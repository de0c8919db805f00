"""What a target of the fuzzer is: forms of content, and what counts as a finding."""

from collections.abc import Callable
from dataclasses import dataclass

from potstill.errors import PotstillError

LONGEST_ERROR = 1000  # characters, the path's excepted


class Finding(AssertionError):
    """Something that was accepted, but is not right."""


@dataclass(frozen=True)
class Target:
    """One entry for bytes from outside.

    :param check: raises for an input that is not met as it should be.
    :param seeds: inputs to start from, one at least for each form.
    :param close: ends what it has open.
    """

    check: Callable[[bytes], None]
    seeds: list[bytes]
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Form:
    """One kind of content, and how it is read.

    :param read: from the content; raises :class:`Finding` when what it gives is wrong.
    :param seeds: good contents.
    """

    read: Callable[[bytes], None]
    seeds: list[bytes]


def make_target(forms: list[Form]) -> Target:
    """The target of some forms; what is refused must be refused in one line."""

    def check(data: bytes) -> None:
        if not data:
            return
        try:
            forms[data[0] % len(forms)].read(data[1:])
        except PotstillError as error:
            expect("\n" not in str(error), f"an error of several lines: {error}")
            expect(len(str(error)) <= LONGEST_ERROR, f"an error of {len(str(error))} characters")

    return Target(check, [bytes([index]) + seed for index, form in enumerate(forms) for seed in form.seeds])


def expect(holds: bool, complaint: str) -> None:
    """Raise a finding unless something holds."""
    if not holds:
        raise Finding(complaint)
