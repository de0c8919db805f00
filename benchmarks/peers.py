"""Other libraries' small classifiers compared with students and their teacher, on one data set.

    pip install fasttext-community 'model2vec[distill,train]'
    python benchmarks/peers.py --data DIR --students runs/x/students/cnn ... --teacher runs/x/teacher \
        --peers fasttext tfidf model2vec:ENCODER --out peers.json

Peers learn train's gold labels. Their hyper-parameters, those of ``evaluation/peers.py``, are chosen on valid with
the first seed; then each seed trains one with the best. Students' folders of the same name are seeds of one student.
Accuracy is test's, the mean over the seeds. Latency is raw text to label, one text a call, one thread: all rows take
turns in every round on the same texts, the figures are medians. Megabytes are of the files that are deployed. Seconds
of training are a peer's processor seconds, and for a student and its teacher what their run took on the clock up to
them; what a run was given (a fine-tuned teacher, a transfer set) is not in it.

A row is on the front when no other is both faster and at least as accurate.
"""

import importlib.metadata
import json
import math
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import tyro
from threadpoolctl import threadpool_limits

import potstill
from latency import Predict, take_turns
from potstill.artifacts import ONNX_FILES, RUN, read_json, write_json
from potstill.corpus.examples import read_examples
from potstill.corpus.splits import find_split
from potstill.errors import PotstillError
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.peers import (
    PEERS,
    Peer,
    PeerFailed,
    PeerTask,
    Settings,
    all_forms,
    check_peer,
    train_peer,
)
from potstill.model_folder import ModelFolder
from potstill.reporting.scatter import Point, find_front
from potstill.tables import table

_VERSIONS = ("potstill", "onnxruntime", "scikit-learn", "fasttext-community", "fasttext", "model2vec")


@dataclass(frozen=True)
class Options:
    """Compare students with other libraries' classifiers."""

    data: Path
    """Folder with train, valid and test."""
    students: tuple[Path, ...]
    """Students' folders; those of one name are its seeds. Each is measured in every precision it has a file for."""
    teacher: Path | None = None
    """Folder of an exported teacher."""
    peers: tuple[str, ...] = ("fasttext", "tfidf")
    """The peers: fasttext, tfidf, model2vec:ENCODER."""
    seeds: tuple[int, ...] = (1, 2, 3)
    """Of the peers' training."""
    n_train: int = 0
    """Train only on so many of train's texts, drawn by chance; 0: on all."""
    rounds: int = 5
    """Repetitions of the timing."""
    texts: int = 200
    """Texts in each round."""
    out: Path = Path("peers.json")
    """Where the figures are written."""


@dataclass(frozen=True)
class Row:
    """One model in one precision.

    :param valid: the share of right labels of each seed; ``test`` likewise.
    :param ms: median milliseconds a text.
    :param seconds: of training, the mean over the seeds; None where it is not known.
    :param settings: what was chosen on valid; empty for students and teacher.
    """

    name: str
    kind: str
    precision: str
    valid: list[float]
    test: list[float]
    megabytes: float
    seconds: float | None
    settings: dict[str, Any] = field(default_factory=dict)
    ms: float = 0.0
    on_front: bool = False

    @property
    def accuracy(self) -> float:
        """On test, in percent."""
        return 100 * statistics.fmean(self.test)


@dataclass(frozen=True)
class Data:
    """The three splits."""

    train: Labelled
    valid: Labelled
    test: Labelled


def read_data(folder: Path, n_train: int) -> Data:
    """The splits, train cut to ``n_train`` texts."""
    splits = {name: read_examples(find_split(folder, name)) for name in ("train", "valid", "test")}
    if n_train:
        order = np.random.default_rng(0).permutation(len(splits["train"]))[:n_train]
        splits["train"] = [splits["train"][row] for row in order]
    return Data(**{name: Labelled.of(examples) for name, examples in splits.items()})


def accuracy(predict: Any, part: Labelled) -> float:
    """The share of right labels."""
    predicted = np.array(predict(list(part.texts)), dtype=object)
    return float((predicted == np.array(part.labels, dtype=object)).mean())


def select(name: str, task: PeerTask, data: Data, seed: int) -> tuple[Settings, list[Peer]]:
    """The settings that are best on valid, of equals the first, and what they gave.

    :raises PotstillError: when its library fails at all of them.
    """
    best: list[tuple[float, Settings, Peer, Iterator[Peer]]] = []
    for number, settings in enumerate(PEERS[name].settings):
        forms = train_peer(name, in_folder(task, f"settings-{number}"), settings, seed)
        try:
            peer = next(forms)
        except PeerFailed as failure:
            print(f"  left out: {failure}", file=sys.stderr, flush=True)
            continue
        score = accuracy(peer.predict, data.valid)
        print(f"  {name} {dict(settings)}: valid {100 * score:.2f}", file=sys.stderr, flush=True)
        if not best or score > best[0][0]:
            best = [(score, settings, peer, forms)]  # a worse one's memory is free again
    if not best:
        raise PeerFailed(f"{name} fails with all of its settings: leave it out")
    _, chosen, full, rest = best[0]
    return chosen, [full, *all_forms(rest)]


def in_folder(task: PeerTask, name: str) -> PeerTask:
    """The task with a folder of its own."""
    folder = task.folder / name
    folder.mkdir()
    return replace(task, folder=folder)


def measure_peer(name: str, task: PeerTask, data: Data, seeds: Sequence[int]) -> Iterator[tuple[Row, Predict]]:
    """A peer's rows, one a form of it, and what predicts with the first seed's."""
    settings, first = select(name, task, data, seeds[0])
    trained = [first] + [all_forms(train_peer(name, in_folder(task, f"seed-{s}"), settings, s)) for s in seeds[1:]]
    # A form at which its library fails with one seed has no figures of the others either.
    for forms in zip(*filter(None, trained), strict=False):
        row = Row(
            name,
            "peer",
            forms[0].precision,
            [accuracy(form.predict, data.valid) for form in forms],
            [accuracy(form.predict, data.test) for form in forms],
            forms[0].megabytes,
            statistics.fmean(form.seconds for form in forms),
            dict(settings),
        )
        yield row, one_by_one(forms[0].predict)


def measure_ours(kind: str, folders: Sequence[Path], data: Data) -> Iterator[tuple[Row, Predict]]:
    """The rows of folders of one name, one a precision that all of them have, and what predicts with the first's."""
    for precision in ONNX_FILES:
        if not all(precision in ModelFolder(folder).precisions for folder in folders):
            continue
        classifiers = [potstill.load(folder, threads=1, precision=precision) for folder in folders]
        times = [seconds for folder in folders if (seconds := seconds_of(folder)) is not None]
        row = Row(
            folders[0].name,
            kind,
            precision,
            [accuracy(classifier.predict, data.valid) for classifier in classifiers],
            [accuracy(classifier.predict, data.test) for classifier in classifiers],
            ModelFolder(folders[0]).megabytes(precision),
            statistics.fmean(times) if times else None,
        )
        yield row, one_by_one(classifiers[0].predict)


def one_by_one(predict: Any) -> Predict:
    """Prediction of a single text."""
    return lambda text: predict([text])[0]


def seconds_of(folder: Path) -> float | None:
    """What a run took up to one of its models; None outside a run, and where a kill left a stage without seconds."""
    for run in folder.resolve().parents[:2]:
        if (run / RUN).is_file():
            stages = read_json(run / RUN)["stages"]
            name = folder.resolve().relative_to(run).as_posix()
            own = f"prepared-{folder.name}"
            before = ["data", "teacher", "augmented", "transfer", own if own in stages else "prepared"]
            needed = [name] if name == "teacher" else [*before, name]
            times = [stages[stage]["seconds"] for stage in needed if stage in stages]
            return None if name not in stages or None in times else sum(times)
    return None


def by_name(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Folders of one name together, in the order in which they were given."""
    groups: dict[str, list[Path]] = {}
    for folder in folders:
        groups.setdefault(folder.name, []).append(folder)
    return groups


def time_rows(measured: Sequence[tuple[Row, Predict]], data: Data, options: Options) -> list[Row]:
    """The rows with their latency, and whether they are on the front."""
    sides = {str(number): predict for number, (_, predict) in enumerate(measured)}
    texts, warm_up = ([str(text) for text in part.texts] for part in (data.test, data.valid))
    medians = take_turns(sides, warm_up, texts, options.rounds, options.texts)
    rows = [replace(row, ms=medians[str(number)] / 1000) for number, (row, _) in enumerate(measured)]
    front = {point.name for point in find_front([Point(str(n), row.ms, row.accuracy) for n, row in enumerate(rows)])}
    return [replace(row, on_front=str(number) in front) for number, row in enumerate(rows)]


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table."""
    spread = f" ± {100 * statistics.stdev(row.test):.2f}" if len(row.test) > 1 else ""
    return (
        f"{row.name} {row.precision}",
        row.kind,
        f"{len(row.test)}",
        f"{100 * statistics.fmean(row.valid):.2f}",
        f"{row.accuracy:.2f}{spread}",
        f"{row.ms:.3f}",
        f"{row.megabytes:.2f}",
        "" if row.seconds is None else f"{row.seconds:.1f}",
        "front" if row.on_front else "",
    )


def print_rows(rows: Sequence[Row], data: Data) -> None:
    """The table, what was chosen on valid, and which of the students is on the front."""
    header = ("model", "", "seeds", "valid", "test", "p50 ms", "MB", "training s", "")
    print(table(header, [cells(row) for row in rows]))
    share = statistics.fmean(row.accuracy for row in rows) / 100
    sigma = 100 * math.sqrt(share * (1 - share) / len(data.test.texts))
    print(f"{len(data.train.texts)} texts of train; one sigma of {len(data.test.texts)} test texts: {sigma:.2f} points")
    for name, settings in {row.name: row.settings for row in rows if row.settings}.items():
        print(f"{name}: {json.dumps(settings)}")
    best = [f"{row.name} {row.precision}" for row in rows if row.kind == "student" and row.on_front]
    print(f"students on the front: {', '.join(best) or 'none'}")


def versions() -> dict[str, str]:
    """Those of the libraries that are installed."""
    installed = {}
    for name in _VERSIONS:
        with suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return installed


def main(options: Options) -> None:
    """Print the table and write the figures."""
    peers = [check_peer(name) for name in options.peers]
    data = read_data(options.data, options.n_train)
    measured = [row for group in by_name(options.students).values() for row in measure_ours("student", group, data)]
    if options.teacher:
        measured += measure_ours("teacher", [options.teacher], data)
    with TemporaryDirectory() as scratch:
        for name, encoder in peers:
            task = in_folder(PeerTask(data.train, data.valid, Path(scratch), encoder), name)
            try:
                measured += measure_peer(name, task, data, options.seeds)
            except PeerFailed as failure:
                print(f"  left out: {failure}", file=sys.stderr, flush=True)
        rows = time_rows(measured, data, options)
    print_rows(rows, data)
    write_json(
        options.out,
        {
            "options": {name: str(value) for name, value in asdict(options).items()},
            "versions": versions(),
            "load": os.getloadavg(),
            "n_train": len(data.train.texts),
            "n_test": len(data.test.texts),
            "rows": [asdict(row) for row in rows],
        },
    )


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            main(tyro.cli(Options))
    except PotstillError as error:
        raise SystemExit(f"peers.py: {error}") from None
