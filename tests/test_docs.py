"""The documentation is true to the code: the generated page is fresh, links lead somewhere, commands exist."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import tyro

from potstill.cli import VERBS, General

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
WRITTEN = [page for page in PAGES if page.name != "cli.md"]  # by hand; cli.md comes from the code

FENCE = re.compile(r"^[ ]*```(\w*)[^\n]*\n(.*?)^[ ]*```[ ]*$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)")
# A command of potstill at the start of a line: after a prompt, variables and a folder, where there are any.
COMMAND = re.compile(r"^\s*(?:\$ )?(?:\w+=\S* )*(?:\S*/)?potstill[ ]+(\S+)(.*)$")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[tuple[str, str]]:
    """A page's code blocks: language and text, whose broken commands are one line."""
    fences = FENCE.findall(page.read_text(encoding="utf-8"))
    return [(language, block.replace("\\\n", " ")) for language, block in fences]


def lines_of_code(page: Path) -> list[str]:
    """The lines of a page's code blocks."""
    return [line for _, block in blocks(page) for line in block.splitlines()]


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The commands in a page's code blocks and code spans: their verb and their words."""
    text = page.read_text(encoding="utf-8")
    for line in lines_of_code(page) + SPAN.findall(FENCE.sub("", text)):
        match = COMMAND.match(line)
        if match and not match[1].isupper():  # COMMAND, X: any verb
            yield match[1], shlex.split(match[2], comments=True)


@cache
def options_of(verb: str) -> frozenset[str]:
    """The options of a verb, with underscores; a flag may be negated."""
    return frozenset({"help"} | flat_options(General) | flat_options(VERBS[verb].options))


def flat_options(options: Any) -> set[str]:
    types = get_type_hints(options)
    names: set[str] = set()
    for field in fields(options):
        kind = types[field.name]
        if is_dataclass(kind):  # its options are next to the others
            names |= flat_options(kind)
        else:
            names |= {field.name, f"no_{field.name}"} if kind is bool else {field.name}
    return names


def test_the_page_of_the_command_line_is_fresh() -> None:
    done = subprocess.run([sys.executable, "docs/make_cli.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_to_files(page: Path) -> None:
    text = SPAN.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    targets = [target.partition("#")[0] for target in LINK.findall(text) if "://" not in target]
    broken = [target for target in targets if target and not (page.parent / target).exists()]
    assert not broken


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_commands_exist_with_their_options(page: Path) -> None:
    for verb, words in commands(page):
        if verb in ("--help", "-h", "--version"):
            continue
        verb = verb.replace("-", "_")
        assert verb in VERBS, f"potstill {verb}"
        for word in words:
            if word.startswith("--"):
                option = word[2:].partition("=")[0].replace("-", "_")
                assert option in options_of(verb), f"potstill {verb} {word}"


def test_benchmarks_accept_the_options_that_the_pages_give_them() -> None:
    lines = [line for page in WRITTEN for line in lines_of_code(page) if line.startswith("python benchmarks/")]
    lines = [line.replace("$(seq 1 3 151)", "1 4 151") for line in lines]  # what the shell makes of it
    assert len({line.split()[1] for line in lines}) >= 10
    for line in lines:
        script, *words = shlex.split(line, comments=True)[1:]
        options = import_module(Path(script).stem).Options
        tyro.cli(options, args=words, config=(tyro.conf.OmitArgPrefixes,))


def test_the_recipe_page_shows_the_recipes_commands() -> None:
    shown = {verb for verb, _ in commands(ROOT / "docs" / "recipe.md")}
    assert {"preprocess", "train", "evaluate", "augment_data"} <= shown


@pytest.mark.parametrize("verb", ["preprocess", "train", "evaluate", "augment_data", "every command"])
def test_the_recipe_page_lists_every_option_with_its_default(verb: str) -> None:
    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    table = page.partition(f"\n### {verb}\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| `--(\w+)` \|.*\| `?([^|`]+)`? \|$", table, re.MULTILINE)
    assert dict(rows) == defaults(General if verb == "every command" else VERBS[verb].options)


def defaults(options: Any) -> dict[str, str]:
    """The options and their defaults, as the page writes them."""
    types = get_type_hints(options)
    values: dict[str, str] = {}
    for field in fields(options):
        if is_dataclass(types[field.name]):
            values |= defaults(types[field.name])
        elif field.default is MISSING:
            values[field.name] = "required"
        else:
            default = "none" if field.default in ("", ()) else str(field.default)
            values[field.name] = ("on" if field.default else "off") if types[field.name] is bool else default
    return values


def test_the_tree_of_the_architecture_page_has_every_module() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = page.partition("## The tree")[2].partition("## Imports")[0]
    shown = set(re.findall(r"\w+\.py", tree))
    modules = {path.name for path in (ROOT / "src").rglob("*.py")} - {"__init__.py"}
    assert modules <= shown, modules - shown
    assert shown - modules <= {"__init__.py", "make_cli.py", "site_hooks.py"}, shown - modules


def test_the_page_shows_the_import_contract_that_is_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = "\n".join(layer.replace("potstill.", "") for layer in contracts[0]["layers"])
    assert f"```text\n{layers}\n```" in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("page", "lines"), [("README.md", 120), ("docs/architecture.md", 320)])
def test_the_first_pages_stay_short(page: str, lines: int) -> None:
    assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) <= lines
