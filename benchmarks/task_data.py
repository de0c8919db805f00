"""Cuts of data sets for the experiments on kinds of tasks: rare labels, and labels that nobody knows.

python benchmarks/task_data.py rare --data snips --shares 0.02 0.01 --out snips-rare
python benchmarks/task_data.py unknown --data banking77 --n_labels 15 --out banking
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from potstill.corpus.examples import Example, read_examples
from potstill.corpus.splits import SPLITS, find_split


@dataclass(frozen=True)
class Options:
    """Cut a data set."""

    cut: Annotated[Literal["rare", "unknown"], tyro.conf.Positional]
    """rare: labels of few texts; unknown: labels that are held out."""
    data: Path
    """Folder with train, valid and test."""
    out: Path
    """Folder of the cut."""
    shares: tuple[float, ...] = (0.02, 0.01)
    """Of train, of the rare labels."""
    n_labels: int = 15
    """Labels that are held out."""
    seed: int = 42
    """Of the labels and the texts."""


def main(options: Options) -> None:
    """Write the cut."""
    splits = {split: read_examples(find_split(options.data, split)) for split in SPLITS}
    generator = random.Random(options.seed)
    if options.cut == "rare":
        cut_labels(splits, options.shares, generator, options.out)
    else:
        hold_out_labels(splits, options.n_labels, generator, options.out)


def cut_labels(
    splits: dict[str, list[Example]], shares: Sequence[float], generator: random.Random, out: Path
) -> dict[str, float]:
    """Make labels rare in train and valid; test stays whole, so that their figures are of enough texts.

    The texts that train loses go to ``left-out.txt``, without those that it still has.

    :param shares: of train and of valid, of as many labels, drawn by chance.
    :return: which labels have which share.
    """
    rare = dict(zip(generator.sample(labels_of(splits), len(shares)), shares, strict=True))
    for split in ("train", "valid"):
        rows = [row for row in splits[split] if row.label not in rare]
        n_all = len(rows) / (1 - sum(shares))
        for label, share in rare.items():
            own = [row for row in splits[split] if row.label == label]
            rows += generator.sample(own, min(len(own), max(2, round(share * n_all))))
        generator.shuffle(rows)
        write(rows, out / f"{split}.txt")
        if split == "train":
            kept = {row.text for row in rows}
            write([row for row in splits[split] if row.label in rare and row.text not in kept], out / "left-out.txt")
    write(splits["test"], out / "test.txt")
    return rare


def hold_out_labels(splits: dict[str, list[Example]], n_labels: int, generator: random.Random, out: Path) -> list[str]:
    """Take labels out of all splits; their texts go to ``unknown-SPLIT.txt``, without a label.

    :return: the labels.
    """
    held = generator.sample(labels_of(splits), n_labels)
    for split, rows in splits.items():
        write([row for row in rows if row.label not in held], out / f"{split}.txt")
        texts = [" ".join(row.text.split()) for row in rows if row.label in held]
        (out / f"unknown-{split}.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return held


def labels_of(splits: dict[str, list[Example]]) -> list[str]:
    """The labels of train, sorted."""
    return sorted({str(row.label) for row in splits["train"]})


def write(rows: list[Example], path: Path) -> None:
    """Write labelled text, a line a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (f"{' '.join(row.text.split())}\t{row.label}\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Options))
