"""What the labels of a task mean: a TOML file with a name, a line of description and examples a label."""

import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.corpus.texts import Text, joined
from potstill.errors import PotstillError, reason, shown
from potstill.files import reading, rereadable

_FILE_KEYS = ("instruction", "label")
_LABEL_KEYS = ("name", "description", "examples")
_FORM = 'a label is [[label]] with name = "...", and where you like description = "..." and examples = ["..."]'


@dataclass(frozen=True)
class LabelDescription:
    """A label, and what it means.

    :param examples: texts, or pairs of texts, that have it.
    """

    name: str
    description: str = ""
    examples: tuple[Text, ...] = ()


@dataclass(frozen=True)
class LabelFile:
    """The labels of a task, in the order of their ids.

    :param instruction: what is to be decided, in the user's own words.
    """

    labels: tuple[LabelDescription, ...]
    instruction: str = ""

    @property
    def names(self) -> list[str]:
        """The labels' names."""
        return [label.name for label in self.labels]

    def ordered(self, names: Sequence[str]) -> "LabelFile":
        """The same labels in the order of the data's.

        :raises PotstillError: when the data has other labels.
        """
        by_name = {label.name: label for label in self.labels}
        if sorted(by_name) != sorted(names):
            raise PotstillError(
                f"its labels are {shown(', '.join(self.names))}, the data's are {shown(', '.join(names))}: "
                "name the same in both"
            )
        return LabelFile(tuple(by_name[name] for name in names), self.instruction)


def find_labels(given: str) -> LabelFile:
    """The labels that an option gives: a file, or names with commas between them.

    :raises PotstillError: when it is no such file, or its names are no labels.
    """
    if "," in given and not given.endswith(".toml"):
        return from_names([name.strip() for name in given.split(",")])
    return read_label_file(Path(given))


def from_names(labels: Sequence[str]) -> LabelFile:
    """Labels that say what they mean by their names.

    :raises PotstillError: for fewer than two, an empty one, or two that differ only in case.
    """
    return _checked(LabelFile(tuple(LabelDescription(_normal(name)) for name in labels)), "labels")


def read_label_file(path: Path) -> LabelFile:
    """Read a file of labels.

    :raises PotstillError: when it is not TOML, or says something of its labels that cannot be.
    """
    try:
        with reading(path):
            content = tomllib.loads(rereadable(path).read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise PotstillError(f"{path}: not TOML ({reason(error)}); {_FORM}") from None
    except UnicodeDecodeError as error:
        raise PotstillError(f"{path}: not UTF-8 ({reason(error)}); save it as UTF-8") from None
    _check_keys(content, _FILE_KEYS, str(path))
    labels = content.get("label", [])
    if not isinstance(labels, list) or not all(isinstance(label, dict) for label in labels):
        raise PotstillError(f"{path}: 'label' is no list of tables; {_FORM}")
    described = tuple(_label(label, f"{path}: label {number}") for number, label in enumerate(labels, start=1))
    return _checked(LabelFile(described, _text(content, "instruction", str(path))), str(path))


def _label(content: dict[str, Any], where: str) -> LabelDescription:
    _check_keys(content, _LABEL_KEYS, where)
    listed = content.get("examples", [])
    examples = list(map(_example, listed)) if isinstance(listed, list) else [None]
    if not all(examples):
        raise PotstillError(
            f'{where}: its examples are no list of texts; write examples = ["a text", "another"], or of pairs '
            f'[["one text", "the other"]]'
        )
    description = " ".join(_text(content, "description", where).split())
    return LabelDescription(_normal(_text(content, "name", where)), description, tuple(filter(None, examples)))


def _example(value: object) -> Text | None:
    """A text, or a list of the two of a pair; None for anything else."""
    parts = [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str) and part.strip()]
    if isinstance(value, list):
        return (parts[0], parts[1]) if len(parts) == len(value) == 2 else None
    return parts[0] if parts else None


def _text(content: dict[str, Any], key: str, where: str) -> str:
    value = content.get(key, "")
    if not isinstance(value, str):
        raise PotstillError(f'{where}: {key} is {shown(value)}, not text: write {key} = "{shown(value)}"')
    return value.strip()


def _normal(name: str) -> str:
    # As labels in data are: é may be one character or two.
    return unicodedata.normalize("NFC", name.strip())


def _check_keys(content: dict[str, Any], known: Sequence[str], where: str) -> None:
    for key in content:
        if key not in known:
            raise PotstillError(f"{where}: there is no key '{shown(key)}': choose among {', '.join(known)}; {_FORM}")


def _checked(file: LabelFile, where: str) -> LabelFile:
    if len(file.labels) < 2:
        raise PotstillError(f"{where}: {len(file.labels)} label(s); a classifier needs two or more; {_FORM}")
    for number, label in enumerate(file.labels, start=1):
        if not label.name:
            raise PotstillError(f"{where}: label {number} has no name; {_FORM}")
        if any(character in label.name for character in "\t\r\n"):
            raise PotstillError(f"{where}: the name '{shown(label.name)}' has more than one line; write it as one")
    names = file.names
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise PotstillError(f"{where}: the label '{shown(twice)}' is there twice; remove one")
    _check_apart([(name, name) for name in names], "names that differ only in case", where)
    described = [(label.description, label.name) for label in file.labels if label.description]
    _check_apart(described, "the same description", where)
    examples = [(joined(text), label.name) for label in file.labels for text in label.examples]
    _check_apart(examples, "the same example", where)
    return file


def _check_apart(values: Sequence[tuple[str, str]], what: str, where: str) -> None:
    """Check that no value belongs to two labels.

    :param values: each with the name of its label.
    """
    owners: dict[str, str] = {}
    for value, name in values:
        other = owners.setdefault(value.casefold(), name)
        if other != name:
            raise PotstillError(
                f"{where}: the labels '{shown(other)}' and '{shown(name)}' have {what}: no teacher can tell them "
                "apart; change one"
            )
