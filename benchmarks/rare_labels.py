"""How many texts of rare labels each model of a run finds, among the thousands that were taken out of train.

python benchmarks/rare_labels.py runs/snips-rare --data snips-rare
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

import potstill
from potstill.corpus.examples import read_examples
from potstill.evaluation.labelled import Labelled
from potstill.tables import table


@dataclass(frozen=True)
class Options:
    """Measure a run's models on the texts of rare labels."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    data: Path
    """What benchmarks/task_data.py rare wrote."""


def main(options: Options) -> None:
    """Print a row a model: the share of each label's texts that it finds, and its macro F1 on test."""
    left_out, test = (Labelled.of(read_examples(options.data / f"{name}.txt")) for name in ("left-out", "test"))
    labels = np.array(left_out.labels)
    names = sorted(set(left_out.labels))
    rows = []
    for folder in [options.run / "teacher", *sorted((options.run / "students").iterdir())]:
        model = potstill.load(folder)
        is_right = left_out.is_right(model.predict(left_out.texts))
        figures = [is_right[labels == name].mean() for name in names] + [test.f1(model.predict(test.texts))]
        rows.append((folder.name, *(f"{100 * figure:.2f}" for figure in figures)))
    heads = [f"{name}, of {(labels == name).sum()}" for name in names]
    print(table(("model", *heads, "macro F1 on test"), rows))


if __name__ == "__main__":
    main(tyro.cli(Options))
