"""How fast new texts are made: tagging, sampling, and both together.

    python benchmarks/augmentation.py --data FILE

One process, one thread, a cache of its own that is empty at the start of each round. ``tagging`` is what an analyzer
costs the first time and ``again`` what its cache costs the next; ``sampling`` starts from analysed texts and gives
the new ones without duplicates. The figures are medians of the rounds, in seconds of the processor, so that other work
on the machine does not show.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import tyro

from potstill.augment.analyzers import make_analyzer
from potstill.augment.augmentation import augment, sample_texts
from potstill.augment.sampling import Rules, build_corpus
from potstill.augment.tagging import analyse_texts
from potstill.corpus.examples import read_examples


@dataclass(frozen=True)
class Options:
    """Measure augmentation."""

    data: Path
    """Labelled texts."""
    analyzers: tuple[str, ...] = ("spacy", "whitespace")
    """The analyzers."""
    n_texts: int = 10_000
    """How many of the texts, the first ones."""
    n_iter: int = 20
    """New texts a text."""
    rounds: int = 3
    """Repetitions."""


@dataclass(frozen=True)
class Round:
    """Seconds of one round, and the texts that it gave."""

    tagging: float
    again: float
    sampling: float
    together: float
    n_new: int


def seconds(work: Callable[[], object]) -> float:
    """How many seconds of the processor a call takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(texts: list[str], analyzer: str, rules: Rules) -> Round:
    """One round."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["POTSTILL_CACHE"] = folder
        tagging, again = (seconds(lambda: list(analyse_texts(texts, analyzer))) for _ in range(2))
        analysed = list(analyse_texts(texts, analyzer))
        n_new = 0

        def sample() -> None:
            nonlocal n_new
            n_new = sum(1 for _ in sample_texts(build_corpus(analysed, rules), rules, seed=42))

        sampling = seconds(sample)
        os.environ["POTSTILL_CACHE"] = f"{folder}/empty"
        together = seconds(lambda: list(augment(texts, rules, analyzer=analyzer)))
        return Round(tagging, again, sampling, together, n_new)


def main(options: Options) -> None:
    """Print the table."""
    texts = [example.text for example in islice(read_examples(options.data), options.n_texts)]
    rules = Rules(n_iter=options.n_iter)
    n_samples = len(texts) * (options.n_iter + 1)
    print(f"{len(texts)} texts, {options.n_iter} samples of each and itself; medians of {options.rounds} rounds")
    print(f"{'':<14}{'tagging':>10}{'again':>10}{'sampling':>12}{'together':>12}{'different':>12}")
    print(f"{'':<14}{'texts/s':>10}{'texts/s':>10}{'samples/s':>12}{'samples/s':>12}{'texts':>12}")
    for analyzer in options.analyzers:
        list(make_analyzer(analyzer)(texts[:100]))  # libraries and models are loaded
        list(analyse_texts(texts[:1], analyzer))
        rounds = [measure(texts, analyzer, rules) for _ in range(options.rounds)]
        tagging, again, sampling, together = (
            statistics.median(getattr(figures, name) for figures in rounds)
            for name in ("tagging", "again", "sampling", "together")
        )
        print(
            f"{analyzer:<14}{len(texts) / tagging:>10,.0f}{len(texts) / again:>10,.0f}{n_samples / sampling:>12,.0f}"
            f"{n_samples / together:>12,.0f}{rounds[0].n_new:>12,}",
            flush=True,
        )


if __name__ == "__main__":
    main(tyro.cli(Options))
