"""Bench: students and teachers side by side, raw text to label: accuracy, latency, throughput, and a cascade's routes.

Every precision that a folder has an ONNX file for is a row. All are measured in turn in every round, so that all meet
the same machine.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from numpy.typing import NDArray

from potstill.artifacts import BENCH, BENCH_PLOT, CONFIG, ONNX_FILES, atomic_file, write_json
from potstill.corpus.encoded import Text
from potstill.corpus.examples import Example, read_examples
from potstill.corpus.labels import label_ids
from potstill.corpus.splits import find_split
from potstill.errors import PotstillError
from potstill.progress import Progress, silent
from potstill.runtime.classifier import Classifier, deployed_files, load
from potstill.runtime.threads import available_cpus
from potstill.stages.bench_plot import Point, draw_svg
from potstill.stages.routing import Answerer, Route, find_routes
from potstill.stages.scores import Labelled

_ROUNDS = 3
_TIMED = 300  # texts that are timed in each round, for each row


@dataclass(frozen=True)
class BenchOptions:
    """Measure students and teachers side by side, raw text to label."""

    models: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of students, each measured in every precision it has a file for."""
    data: Path
    """Data folder whose test is predicted and timed, after a warm-up on its valid."""
    teacher: Path | None = None
    """Folder of an exported teacher: measured too, and the second stage of each student's cascade."""
    batch: tuple[int, ...] = (1, 32)
    """Texts a call."""
    out: Path | None = None
    """Folder for bench.json and bench.svg, the plot of accuracy against latency."""

    def __post_init__(self) -> None:
        if not self.models or min(self.batch, default=0) < 1:
            raise PotstillError("give at least one model, and a --batch of 1 or more")


@dataclass(frozen=True)
class Timing:
    """One model's times with so many threads and texts a call; milliseconds a call.

    :param tokenise_ms: median of text to ids, measured by itself; ``model_ms`` is the rest of ``p50_ms``.
    :param texts_per_second: over all calls.
    """

    threads: int
    batch: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    tokenise_ms: float
    model_ms: float
    texts_per_second: float


@dataclass(frozen=True)
class Benched:
    """One model in one precision.

    :param accuracy: the share of right labels on test.
    :param routes: with the teacher's fastest precision behind it; empty for the teacher.
    """

    name: str
    precision: str
    accuracy: float
    megabytes: float
    timings: list[Timing]
    routes: list[Route] = field(default_factory=list)


@dataclass(frozen=True)
class Bench:
    """All models.

    :param out: the folder with the JSON file and the plot, or None.
    """

    rows: list[Benched]
    out: Path | None


@dataclass(frozen=True)
class _Entry:
    """A model in one precision, loaded for each number of threads.

    :param probabilities: of test's texts.
    """

    name: str
    precision: str
    folder: Path
    classifiers: dict[int, Classifier]
    probabilities: NDArray[np.float32]

    def is_right(self, labels: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each text's likeliest label is the gold one."""
        found = self.classifiers[1].classes_[self.probabilities.argmax(axis=1)]
        right: NDArray[np.bool_] = found == np.array(labels, dtype=object)
        return right

    def answerer(self, labels: Sequence[str], ms: float) -> Answerer:
        """As one side of a cascade."""
        return Answerer(self.probabilities.max(axis=1), self.is_right(labels), ms)


def bench(options: BenchOptions, progress: Progress = silent) -> Bench:
    """Measure every model on test.

    :raises PotstillError: when a folder or the data is missing, or a label of test is not the model's.
    """
    examples = read_examples(find_split(options.data, "test"))
    test, valid = Labelled.of(examples), Labelled.of(read_examples(find_split(options.data, "valid")))
    students = [entry for folder in options.models for entry in _open(folder, examples)]
    teachers = _open(options.teacher, examples) if options.teacher else []
    entries = [*students, *teachers]
    timings = _time_all(entries, options.batch, valid.texts, test.texts, progress)
    fastest = min(range(len(students), len(entries)), key=lambda row: timings[row][0].p50_ms, default=None)
    rows = []
    for entry, times in zip(entries, timings, strict=True):
        routes = []
        if fastest is not None and entry in students:
            slow = entries[fastest].answerer(test.labels, timings[fastest][0].p50_ms)
            routes = find_routes(entry.answerer(test.labels, times[0].p50_ms), slow)
        size = sum(file.stat().st_size for file in deployed_files(entry.folder, entry.precision)) / 1e6
        accuracy = float(entry.is_right(test.labels).mean())
        rows.append(Benched(entry.name, entry.precision, accuracy, size, times, routes))
    if options.out:
        _write(rows, options.out)
    return Bench(rows, options.out)


def _open(folder: Path, examples: Sequence[Example]) -> list[_Entry]:
    """A row for each precision that a folder has a file of."""
    if not (folder / CONFIG).is_file():
        raise PotstillError(
            f"{folder}: no {CONFIG} in it; give the folder of a trained model, such as runs/NAME/student"
        )
    entries = []
    for precision in [name for name, file in ONNX_FILES.items() if (folder / file).is_file()] or ["fp32"]:
        classifiers = {threads: load(folder, threads, precision) for threads in _thread_counts()}
        label_ids(examples, classifiers[1].classes_.tolist(), "test")
        probabilities = classifiers[max(classifiers)].predict_proba([example.content for example in examples])
        entries.append(_Entry(folder.name, precision, folder, classifiers, probabilities))
    return entries


def _thread_counts() -> list[int]:
    return sorted({1, available_cpus()})


def _time_all(
    entries: list[_Entry], batches: Sequence[int], warm_up: Sequence[Text], texts: Sequence[Text], progress: Progress
) -> list[list[Timing]]:
    """The times of each entry; first those on one thread and of the first batch size."""
    modes = [(threads, batch) for threads in _thread_counts() for batch in batches]
    found: list[list[list[tuple[float, float]]]] = [[[] for _ in modes] for _ in entries]
    with progress("timing", _ROUNDS * len(modes) * len(entries)) as bar:
        for _ in range(_ROUNDS):
            for mode, (threads, batch) in enumerate(modes):
                for row, entry in enumerate(entries):
                    found[row][mode] += _time(entry.classifiers[threads], batch, warm_up, texts)
                    bar.update(1)
    return [[_summarise(np.array(calls), *mode) for calls, mode in zip(one, modes, strict=True)] for one in found]


def _time(
    classifier: Classifier, batch: int, warm_up: Sequence[Text], texts: Sequence[Text]
) -> list[tuple[float, float]]:
    """Milliseconds of tokenising and of all, for each call."""
    for start in range(0, min(_TIMED, len(warm_up)), batch):
        classifier.predict(warm_up[start : start + batch])
    calls = []
    for start in range(0, min(_TIMED, len(texts)) - batch + 1, batch):
        given = texts[start : start + batch]
        began = time.perf_counter()
        classifier.predict(given)
        ended = time.perf_counter()
        classifier.encode(given)
        calls.append((1000 * (time.perf_counter() - ended), 1000 * (ended - began)))
    return calls


def _summarise(calls: NDArray[np.float64], threads: int, batch: int) -> Timing:
    tokenise, total = calls.T
    p50, p95, p99 = np.percentile(total, (50, 95, 99)).tolist()
    tokenise_ms = float(np.median(tokenise))
    return Timing(
        threads=threads,
        batch=batch,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        tokenise_ms=tokenise_ms,
        model_ms=max(0.0, p50 - tokenise_ms),
        texts_per_second=1000 * batch * len(total) / float(total.sum()),
    )


def _write(rows: list[Benched], out: Path) -> None:
    points = [Point(f"{row.name} {row.precision}", row.timings[0].p50_ms, 100 * row.accuracy) for row in rows]
    with atomic_file(out / BENCH_PLOT) as partial:
        partial.write_text(draw_svg(points), encoding="utf-8")
    write_json(out / BENCH, {"rows": [asdict(row) for row in rows]})
