"""The labels of a data set: an ordered list of strings, whose positions are the label ids."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from potstill.artifacts import atomic_file
from potstill.corpus.examples import Example
from potstill.corpus.lines import read_lines
from potstill.errors import PotstillError, shown
from potstill.files import is_input


def collect_labels(examples: Iterable[Example], source: str) -> list[str]:
    """The distinct labels of a training set, sorted (whole numbers by value).

    :param source: what to name in an error.
    :raises PotstillError: when there is only one: nothing to classify.
    """
    labels = {example.label for example in examples}
    if len(labels) < 2:
        raise PotstillError(f"{source}: only one label ('{shown(next(iter(labels)))}'); a classifier needs two or more")
    # Python does not read numbers of thousands of digits: such labels are sorted as strings.
    if all(label.isdecimal() and len(label) < 19 for label in labels):
        return sorted(labels, key=int)
    return sorted(labels)


def label_ids(examples: Iterable[Example], labels: list[str], source: str) -> list[int]:
    """The ids of the examples' labels.

    :param labels: the labels of the training set, in id order.
    :param source: the file, to name in an error.
    :raises PotstillError: naming the line, for a label that the training set does not have.
    """
    # Data of an earlier version, and models of others, may write é as two characters.
    ids = {unicodedata.normalize("NFC", label): index for index, label in enumerate(labels)}
    result = []
    for example in examples:
        label = unicodedata.normalize("NFC", example.label)
        if label not in ids:
            raise PotstillError(
                f"{source}:{example.line}: the training set has no label '{shown(example.label)}' "
                f"(it has {shown(', '.join(labels))}): correct it or add training examples"
            )
        result.append(ids[label])
    return result


def write_labels(labels: list[str], path: Path) -> None:
    """Write one label a line, in id order."""
    with atomic_file(path) as partial:
        partial.write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")


def read_labels(path: Path) -> list[str]:
    """Read the labels that :func:`write_labels` wrote.

    :raises PotstillError: when there are none: the data folder is not prepared yet.
    """
    if not is_input(path):
        raise PotstillError(f"{path}: no such file; make it with: potstill preprocess")
    return [line for _, line in read_lines(path)]
