"""How many points models lose on text with typing errors: one in every fifth word of test.

python benchmarks/typing_errors.py --models runs/demo/student runs/demo/teacher --data runs/demo/data

Each model is measured on test as it is, and with errors of several seeds; the figure is the mean.
"""

import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

import potstill
from peers import accuracy
from potstill.augment.typing_errors import misspell
from potstill.corpus.examples import read_examples
from potstill.corpus.splits import find_split
from potstill.errors import PotstillError
from potstill.evaluation.labelled import Labelled
from potstill.tables import table


@dataclass(frozen=True)
class Options:
    """Measure models on test with typing errors."""

    models: tuple[Path, ...]
    """Folders of students or teachers."""
    data: Path
    """Folder with test."""
    share: float = 0.2
    """Share of the words that get an error each."""
    seeds: tuple[int, ...] = (1, 2, 3)
    """Of the errors."""


def main(options: Options) -> None:
    """Print a row a model."""
    test = Labelled.of(read_examples(find_split(options.data, "test")))
    typed = [with_errors(test, options.share, seed) for seed in options.seeds]
    rows = []
    for folder in options.models:
        model = potstill.load(folder)
        clean = 100 * accuracy(model.predict, test)
        dirty = 100 * statistics.fmean(accuracy(model.predict, part) for part in typed)
        rows.append((str(folder), f"{clean:.2f}", f"{dirty:.2f}", f"{clean - dirty:.2f}"))
    print(table(("model", "test", "with errors", "lost"), rows))


def with_errors(part: Labelled, share: float, seed: int) -> Labelled:
    """The same labels, the texts with errors."""
    generator = np.random.default_rng(seed)
    return Labelled([misspell(str(text), share, generator) for text in part.texts], part.labels)


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except PotstillError as error:
        raise SystemExit(f"typing_errors.py: {error}") from None
