"""Reading a run folder's data: its splits and its labels."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import LABELS
from potstill.corpus.examples import Example, read_examples
from potstill.corpus.labels import label_ids, read_labels


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
