"""Reading a run folder: its record, its splits and its labels."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import LABELS, RUN, check_format, read_object
from potstill.corpus.examples import Example, read_examples
from potstill.corpus.labels import label_ids, read_labels


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


def read_gold(run: Path, split: str) -> tuple[list[str], NDArray[np.int64]]:
    """A split's texts and label ids."""
    examples = read_split(run, split)
    ids = label_ids(examples, run_labels(run), split)
    return [example.text for example in examples], np.array(ids, dtype=np.int64)


def run_labels(run: Path) -> list[str]:
    """The labels of a run's data, in id order."""
    return read_labels(run / "data" / LABELS)
