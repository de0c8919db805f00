"""Write ``docs/cli.md`` from each command's own ``--help``; with ``--check`` only say whether it is stale.

python docs/make_cli.py [--check]
"""

import os
import subprocess
import sys
from pathlib import Path

from potstill.cli import VERBS

PAGE = Path(__file__).parent / "cli.md"
_INTRODUCTION = """\
# Command line

Made by `python docs/make_cli.py` from the commands' own help; do not edit.

Underscores and hyphens are the same in the names of commands and options. An option's value follows a space or `=`.
The exit status is 0 when all went well, 2 for what the user can fix, 130 when interrupted, 143 by SIGTERM.
"""


def main() -> None:
    """Write the page, or with ``--check`` exit 1 when it is stale."""
    unknown = set(sys.argv[1:]) - {"--check"}
    if unknown:
        sys.exit(f"unknown option {', '.join(sorted(unknown))}; there is --check")
    page = make_page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        sys.exit(f"{PAGE} is stale; make it again: python docs/make_cli.py")


def make_page() -> str:
    """The whole page: the overview, then a section a command."""
    sections = [_section("potstill", ["--help"])]
    sections += [_section(f"potstill {verb}", [verb, "--help"]) for verb in VERBS]
    return "\n".join([_INTRODUCTION, *sections])


def _section(title: str, arguments: list[str]) -> str:
    return f"## {title}\n\n```text\n{_help(arguments)}\n```\n"


def _help(arguments: list[str]) -> str:
    """The help as a terminal of 100 columns without colours shows it."""
    environment = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "CLICOLOR_FORCE")}
    environment |= {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "potstill.cli", *arguments],
        env=environment,
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


if __name__ == "__main__":
    main()
