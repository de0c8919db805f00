"""The whole recipe on SST-2, stage by stage: the reference's own code and Potstill, on the same data.

    git clone https://github.com/dsindex/iclassifier
    python benchmarks/reference.py --checkout iclassifier --data DIR --teacher CHECKPOINT --lines 500

The reference has no licence: the checkout is the user's own, nothing of it is shipped here, and nothing in it is
changed. What its code needs to run with today's libraries is put around it in memory, and printed.

Each command of the recipe runs in a process of its own, as it would be typed, its start included; the two sides take
turns at every command, on the same processors. Both read the same lines of train, the same teacher's weights and the
same word vectors. Each side makes new texts; the reference's are then given to both, so that both label and learn the
same. Text is prepared for the students once, which serves all three. Each side has the recipe's options as its own
documentation writes them (the reference's DISTILLATION.md at its newest commit, docs/recipe.md), and ``--epochs``.
Fine-tuning the teacher is no part of it.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import tyro

from potstill.artifacts import RAW, TRANSFER, write_json
from potstill.corpus.examples import Example, read_examples
from potstill.corpus.splits import find_split
from potstill.corpus.transfer import read_transfer
from potstill.tables import table
from reference_child import adaptations
from reference_recipe import (
    OWN_RAW,
    Options,
    Place,
    pick_lines,
    stages,
    write_configs,
    write_lines,
    write_teacher,
    write_vectors,
)

ROOT = Path(__file__).parents[1]
_ACCURACY = re.compile(r"\[Accuracy\] : ([\d.]+)")

Side = Literal["reference", "ours"]  # ours: Potstill, by the name that the figures have
SIDES: tuple[Side, Side] = ("reference", "ours")


@dataclass(frozen=True)
class Timed:
    """Seconds on the clock, and of the processor."""

    seconds: float
    processor: float


@dataclass(frozen=True)
class Measured:
    """One round.

    :param times: by stage and side.
    :param accuracy: on test, by student and side.
    :param texts: new texts that each side wrote; the reference writes some more than once.
    :param logits_off: the largest difference of the two sides' logits.
    """

    times: dict[str, dict[str, Timed]]
    accuracy: dict[str, dict[str, float]]
    texts: dict[str, int]
    logits_off: float


def run(side: Side, command: list[str], options: Options, work: Path) -> tuple[dict[str, Timed], str]:
    """Run a side's command; its times, those of tagging apart, and what it printed."""
    report = work / "report.json"
    report.unlink(missing_ok=True)
    who = ["reference", str(options.checkout.resolve())] if side == "reference" else ["potstill"]
    child = [sys.executable, str(ROOT / "benchmarks" / "reference_child.py"), str(report), *who, *command]
    count = str(options.threads)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), count)
    began = time.time()
    done = subprocess.run(
        child,
        cwd=work,
        env=os.environ | threads | {"POTSTILL_CACHE": str(work / "cache"), "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.time() - began
    if done.returncode or not report.is_file():
        raise SystemExit(f"{done.stdout[-3000:]}\n{side} failed: {' '.join(command)}")
    clocks = json.loads(report.read_text(encoding="utf-8"))
    processor = clocks["ended"][1]
    if "tagged" not in clocks:
        return {"": Timed(seconds, processor)}, done.stdout
    tagged, used = clocks["tagged"][0] - began, clocks["tagged"][1]
    return {"tagging": Timed(tagged, used), "sampling": Timed(seconds - tagged, processor - used)}, done.stdout


def one_round(options: Options, examples: dict[str, list[Example]], shared: Path, work: Path, flip: bool) -> Measured:
    """The recipe once on both sides."""
    reference, potstill = Place(work / "reference", shared / "configs"), Place(work / "ours", ROOT / "configs")
    for place in (reference, potstill):
        place.data.mkdir()
        for split, part in examples.items():
            write_lines(place.data / f"{split}.txt", part)
    times: dict[str, dict[str, Timed]] = {}
    accuracy: dict[str, dict[str, float]] = {}
    texts: dict[str, int] = {}
    off = 0.0
    for stage in stages(options, reference, potstill, shared):
        for side in reversed(SIDES) if flip else SIDES:
            command = stage.reference if side == "reference" else stage.potstill
            timings, printed = run(side, command, options, work)
            for name, timed in timings.items():
                times.setdefault(name or stage.name, {})[side] = timed
                print(f"  {name or stage.name}, {side}: {timed.seconds:.1f} s", file=sys.stderr, flush=True)
            if stage.name.startswith("testing"):
                [reached] = _ACCURACY.findall(printed)
                accuracy.setdefault(stage.name.removeprefix("testing "), {})[side] = float(reached)
        if stage.name == "tagging and sampling":
            files = {"reference": reference.data / RAW, "ours": potstill.data / OWN_RAW}
            texts = {side: sum(1 for _ in file.open(encoding="utf-8")) for side, file in files.items()}
            shutil.copy(files["reference"], potstill.data / RAW)
        if stage.name == "labelling":
            off = take_labels(reference.data, potstill.data)
    return Measured(times, accuracy, texts, off)


def take_labels(reference: Path, potstill: Path) -> float:
    """Make each side's labelled texts its transfer set, in the reference's rows; the largest difference of the logits.

    The reference writes some new texts more than once and labels each of them; Potstill labels a text once.
    """
    shutil.copy(reference / f"{RAW}.pred", reference / TRANSFER)
    rows = {line.partition("\t")[0]: line for line in lines_of(potstill / f"{RAW}.pred")}
    texts = [line.partition("\t")[0] for line in lines_of(reference / TRANSFER)]
    if set(texts) != set(rows):
        raise SystemExit("the two sides labelled different texts")
    (potstill / TRANSFER).write_text("".join(f"{rows[text]}\n" for text in texts), encoding="utf-8")
    sets = [read_transfer(folder / TRANSFER) for folder in (reference, potstill)]
    largest: float = np.abs(sets[0].logits - sets[1].logits).max().item()
    return largest


def lines_of(path: Path) -> list[str]:
    """A file's lines."""
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def summarise(rounds: Sequence[Measured]) -> list[tuple[str, ...]]:
    """The rows of the table: medians of the rounds, their ratio, and the sum of all stages."""

    def median(stage: str, side: Side, clock: str) -> float:
        seconds: float = statistics.median(getattr(measured.times[stage][side], clock) for measured in rounds)
        return seconds

    rows = []
    sums = dict.fromkeys(((clock, side) for clock in ("seconds", "processor") for side in SIDES), 0.0)
    for stage in rounds[0].times:
        figures = {key: median(stage, key[1], key[0]) for key in sums}
        sums = {key: sums[key] + figure for key, figure in figures.items()}
        rows.append((stage, *cells(figures)))
    return [*rows, ("all", *cells(sums))]


def cells(figures: dict[Any, float]) -> Iterator[str]:
    """For the clock and for the processor the seconds of the reference, those of Potstill, and their ratio."""
    for clock in ("seconds", "processor"):
        reference, potstill = (figures[clock, side] for side in SIDES)
        yield from (f"{reference:.2f}", f"{potstill:.2f}", f"{reference / potstill:.1f}" if potstill else "")


def accuracies(rounds: Sequence[Measured]) -> list[tuple[str, ...]]:
    """The rows of the table of accuracy on test: each side's mean over the rounds."""
    return [
        (
            student,
            *(
                f"{100 * statistics.fmean(measured.accuracy[student][side] for measured in rounds):.2f}"
                for side in SIDES
            ),
        )
        for student in rounds[0].accuracy
    ]


def print_all(options: Options, n: dict[str, int], rounds: Sequence[Measured]) -> None:
    """Print the tables."""
    texts = rounds[0].texts
    size = f"{options.n_iter} samples each, {options.epochs} epochs, {options.threads} threads"
    print(f"{n['train']} lines of train, {size}")
    print(f"new texts: reference {texts['reference']}, ours {texts['ours']}; both label and learn the reference's")
    header = ("stage", "reference, s", "ours, s", "ratio", "processor: reference, s", "ours, s", "ratio")
    print(table(header, summarise(rounds)))
    print(f"medians of {len(rounds)} rounds; load of the machine at the end {os.getloadavg()[0]:.1f}")
    print(table((f"accuracy on {n['test']} texts", *SIDES), accuracies(rounds)))
    print(f"the two teachers' logits differ by at most {max(measured.logits_off for measured in rounds):.1e}")
    print("put around the reference's code in memory:")
    for text in adaptations():
        print(f"  {text}")
    print("temporary copies of its configurations have token_emb_dim as the word vectors are wide")


def revision(checkout: Path) -> str:
    """The commit of a checkout."""
    done = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def main(options: Options) -> None:
    """Print the tables and write the figures."""
    if not (options.checkout / "augment_data.py").is_file():
        raise SystemExit(f"{options.checkout}: no augment_data.py in it: not a checkout of the reference")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(islice(sorted(os.sched_getaffinity(0)), options.threads)))
    examples = {split: read_examples(find_split(options.data, split)) for split in ("train", "valid", "test")}
    examples["train"] = pick_lines(examples["train"], options.lines)
    with TemporaryDirectory() as scratch:
        shared = Path(scratch) / "shared"
        shared.mkdir()
        width = write_vectors(options.vectors, shared / "vectors.txt")
        write_configs(options.checkout, shared / "configs", width)
        write_teacher(options.teacher, shared / "teacher.pt")
        rounds = []
        for number in range(options.rounds):
            work = Path(scratch) / f"round-{number}"
            work.mkdir()
            rounds.append(one_round(options, examples, shared, work, flip=bool(number % 2)))
            shutil.rmtree(work)
    n = {split: len(part) for split, part in examples.items()}
    print_all(options, n, rounds)
    write_json(
        options.out,
        {
            "options": {name: str(value) for name, value in asdict(options).items()},
            "commit": revision(options.checkout),
            "adaptations": adaptations(),
            "texts": n,
            "load": os.getloadavg(),
            "rounds": [asdict(measured) for measured in rounds],
        },
    )


if __name__ == "__main__":
    main(tyro.cli(Options))
