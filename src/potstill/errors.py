"""The one error base, and the sentence for a missing extra. Knows nothing of the rest of the package."""

import importlib.util

NO_HOME = "what the hub gives is kept below a home, which this user lacks: name a folder in the variable HF_HOME"


class PotstillError(Exception):
    """Something the user can fix: one line that says what is wrong, where, and how to fix it."""


def shown(given: object, longest: int = 200) -> str:
    """Foreign text as part of an error: on one line, and cut where it is long."""
    line = " ".join(str(given).split())
    return line if len(line) <= longest else f"{line[:longest]} ..."


def reason(error: BaseException) -> str:
    """A library's error as part of one of ours: its first line, or its name where it is empty."""
    return shown(str(error).strip().partition("\n")[0]) or type(error).__name__


def require(extra: str, *modules: str) -> None:
    """Check that an optional extra is installed.

    :param extra: the extra of ``pip install "potstill[extra]"`` that brings the modules.
    :param modules: top-level modules that the extra must have brought.
    :raises PotstillError: when one is missing; names the command that installs it.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise PotstillError(f"this needs {', '.join(missing)}, not installed here: pip install 'potstill[{extra}]'")


def unknown_name(kind: str, name: str, known: list[str]) -> PotstillError:
    """The error for a choice by name that is not in its dict: lists the known names."""
    return PotstillError(f"there is no {kind} '{shown(name)}': choose one of {', '.join(sorted(known))}")
