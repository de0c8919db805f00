"""Reading a run folder: its record, its splits and its labels."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from potstill.artifacts import LABELS, RUN, check_format, read_object
from potstill.corpus.examples import Example, read_examples
from potstill.corpus.labels import encode_labels, read_labels
from potstill.corpus.texts import Text


def read_record(run: Path) -> dict[str, Any]:
    """The record of a run, ``run.json``.

    :raises PotstillError: when there is none, or another version made the run.
    """
    record = read_object(run / RUN)
    check_format(run, RUN, record)
    return record


def read_split(run: Path, split: str) -> list[Example]:
    """A split of a run's data."""
    return read_examples(run / "data" / f"{split}.parquet")


def read_gold(run: Path, split: str) -> tuple[list[Text], NDArray[Any]]:
    """A split's texts, or pairs of texts, and its gold labels as an array."""
    examples = read_split(run, split)
    return [example.content for example in examples], encode_labels(examples, run_labels(run), split)


def run_labels(run: Path) -> list[str]:
    """The labels of a run's data, in id order."""
    return read_labels(run / "data" / LABELS)
