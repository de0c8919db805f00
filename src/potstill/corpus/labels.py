"""The labels of a data set: an ordered list of strings, whose positions are the label ids."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from potstill.artifacts import atomic_file
from potstill.corpus.examples import Example
from potstill.corpus.lines import read_lines
from potstill.errors import PotstillError, shown
from potstill.files import is_input
from potstill.tasks import Label, Task, task_of


def collect_labels(examples: Iterable[Example], source: str) -> list[str]:
    """The distinct labels of a training set, sorted (whole numbers by value).

    :param source: what to name in an error.
    :raises PotstillError: when there is only one: nothing to classify.
    """
    labels = {name for example in examples for name in label_names(example)}
    if len(labels) < 2:
        only = f"only one label ('{shown(next(iter(labels)))}')" if labels else "no text has a label"
        raise PotstillError(f"{source}: {only}; a classifier needs two or more")
    # Python does not read numbers of thousands of digits: such labels are sorted as strings.
    if all(label.isdecimal() and len(label) < 19 for label in labels):
        return sorted(labels, key=int)
    return sorted(labels)


def label_names(example: Example) -> tuple[str, ...]:
    """The labels of an example: one, or where a text may have several all of them."""
    return example.label if isinstance(example.label, tuple) else (example.label,)


def for_task(examples: Sequence[Example], task: Task, source: str) -> list[Example]:
    """The examples with their labels as a task has them: one a text, or all that a text has.

    :param source: the file, to name in an error.
    :raises PotstillError: naming the line, for a text of several labels or none where the task has one.
    """
    if task.takes_several:
        return [replace(example, label=label_names(example)) for example in examples]
    for example in examples:
        if (n_labels := len(label_names(example))) != 1:
            raise PotstillError(f"{source}:{example.line}: {n_labels} labels, where a text has one: keep one of them")
    return [replace(example, label=label_names(example)[0]) for example in examples]


def encode_labels(examples: Sequence[Example], labels: list[str], source: str) -> NDArray[Any]:
    """The gold labels of examples as an array, see :class:`~potstill.tasks.Task`.

    :param labels: the labels of the training set, in id order.
    :param source: the file, to name in an error.
    :raises PotstillError: naming the line, for a label that the training set does not have.
    """
    # Data of an earlier version, and models of others, may write é as two characters.
    names = {unicodedata.normalize("NFC", label): label for label in labels}
    known: list[Label] = []
    for example in examples:
        found = []
        for label in label_names(example):
            name = names.get(unicodedata.normalize("NFC", label))
            if name is None:
                raise PotstillError(
                    f"{source}:{example.line}: the training set has no label '{shown(label)}' "
                    f"(it has {shown(', '.join(labels))}): correct it or add training examples"
                )
            found.append(name)
        known.append(tuple(found) if isinstance(example.label, tuple) else found[0])
    return task_of(examples[0].label if examples else "").encode(known, labels)


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
