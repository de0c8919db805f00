"""How much memory a run needs whose transfer set is large: the peak of each stage of one `potstill distill`.

    python benchmarks/memory.py --rows 1000000

The texts are made up, the teacher is a tiny random BERT (a stand-in: it labels as a large one does, only faster and
worse), the student is an ``ngram`` that trains for a few steps. The command runs in a process of its own on one
thread. Its peak of resident memory (``VmHWM``: files that are mapped into memory included) is read twice a second and
set back when the next stage begins. Linux only.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

N_ITER = 20  # new texts of each of train's
N_HELD_OUT = 200  # texts of valid, and of test
SYLLABLES = ("ba", "ko", "ri", "tu", "me", "sa", "no", "li", "fe", "du")
COMMAND = (
    "distill --data {data} --teacher {teacher} --out {run} --embedding_path {vectors} --n_frequent 10 --threads 1 "
    "--student ngram --student_steps 20 --gold_epochs 0 --analyzer whitespace --processes 1 --n_iter {n_iter} "
    "--p_mask 0.3 --p_ng 0.5"
)


@dataclass(frozen=True)
class Options:
    """Measure the memory of a run."""

    rows: int = 200_000
    """Rows that the transfer set shall have, about."""
    work: Path | None = None
    """Folder for the run; default: one that is removed at the end."""
    out: Path | None = None
    """A JSON file of the table."""


@dataclass
class Stage:
    """What a stage needed.

    :param peak_mb: resident memory, 10^6 bytes.
    :param cpu_seconds: of the processor.
    """

    peak_mb: float = 0.0
    cpu_seconds: float = 0.0


def made_words(generator: np.random.Generator) -> list[str]:
    """Some 3,000 different words of one to four syllables."""
    sizes = generator.integers(1, 5, 4000)
    return list(dict.fromkeys("".join(generator.choice(SYLLABLES, size)) for size in sizes))


def texts(words: list[str], n: int, generator: np.random.Generator) -> Iterator[str]:
    """Texts of 7 to 11 words."""
    for size in generator.integers(7, 12, n):
        yield " ".join(words[i] for i in generator.integers(0, len(words), size))


def write_data(words: list[str], rows: int, generator: np.random.Generator, folder: Path) -> None:
    """The three splits, with labels drawn by chance."""
    folder.mkdir()
    for split, n in (("train", -(-rows // N_ITER)), ("valid", N_HELD_OUT), ("test", N_HELD_OUT)):
        labels = generator.integers(0, 2, n).tolist()
        with (folder / f"{split}.txt").open("w") as file:
            file.writelines(
                f"{text}\t{label}\n" for text, label in zip(texts(words, n, generator), labels, strict=True)
            )


def write_teacher(words: list[str], folder: Path) -> None:
    """A random BERT classifier, one layer of 16 numbers, that knows every word."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=16,
        max_position_embeddings=64,
        id2label={0: "0", 1: "1"},
        label2id={"0": 0, "1": 1},
    )
    BertForSequenceClassification(config).save_pretrained(folder)


def write_vectors(words: list[str], generator: np.random.Generator, path: Path) -> None:
    """Random word vectors of 8 numbers, as a text file."""
    table = generator.normal(size=(len(words), 8))
    path.write_text("".join(f"{w} {' '.join(f'{x:.3f}' for x in row)}\n" for w, row in zip(words, table, strict=True)))


def stage_under_way(run: Path) -> str | None:
    """The stage whose working folder is there."""
    folders = [*run.glob(".*.partial"), *run.glob("*/.*.partial")]
    names = [path.name[1 : -len(".partial")] for path in folders if path.is_dir()]
    return names[0] if names else None


def peak_kb(process: int) -> int:
    """The peak of a process's resident memory; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def cpu_seconds(process: int) -> float:
    """Seconds of the processor that a process has used; 0 when it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(command: list[str], run: Path) -> dict[str, Stage]:
    """Run a command and measure its stages."""
    stages: defaultdict[str, Stage] = defaultdict(Stage)
    cpu_before, last = 0.0, None
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"})
    while process.poll() is None:
        now = stage_under_way(run)
        peak, cpu = peak_kb(process.pid), cpu_seconds(process.pid)
        stage = stages[last or "start"]
        if peak:
            stage.peak_mb = max(stage.peak_mb, peak * 1024 / 1e6)
            stage.cpu_seconds += cpu - cpu_before
            cpu_before = cpu
        if now is not None and now != last:
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")
            last = now
        time.sleep(0.5)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: ended with status {process.returncode}")
    return dict(stages)


def count_rows(run: Path) -> int:
    """The rows of the run's transfer set."""
    import pyarrow.parquet

    return sum(pyarrow.parquet.read_metadata(file).num_rows for file in (run / "transfer").glob("*.parquet"))


def measure(options: Options, work: Path) -> None:
    """Make the data, run, print the table."""
    generator = np.random.default_rng(0)
    words = made_words(generator)
    write_data(words, options.rows, generator, work / "data")
    write_teacher(words, work / "teacher")
    write_vectors(words, generator, work / "vectors.txt")
    command = COMMAND.format(
        data=work / "data",
        teacher=work / "teacher",
        run=work / "run",
        vectors=work / "vectors.txt",
        n_iter=N_ITER,
    )
    stages = watch([sys.executable, "-m", "potstill.cli", *command.split()], work / "run")
    rows = count_rows(work / "run")
    print(f"\n{rows:,} rows in the transfer set\n{'stage':<14}{'peak MB':>10}{'CPU seconds':>14}")
    for name, stage in stages.items():
        print(f"{name:<14}{stage.peak_mb:>10,.0f}{stage.cpu_seconds:>14,.0f}")
    print(f"{'the largest':<14}{max(stage.peak_mb for stage in stages.values()):>10,.0f}")
    if options.out:
        result = {"rows": rows, "stages": {name: asdict(stage) for name, stage in stages.items()}}
        options.out.write_text(json.dumps(result, indent=2) + "\n")


def main(options: Options) -> None:
    """Measure in a folder."""
    if options.work:
        options.work.mkdir(parents=True)
        measure(options, options.work)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


if __name__ == "__main__":
    main(tyro.cli(Options))
