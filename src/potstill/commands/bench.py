"""Bench: students and teachers side by side, raw text to label: accuracy and F1, latency, throughput, cascades.

Every precision that a folder has an ONNX file for is a row; each peer, a classifier of another library, is one too.
All are measured in turn in every round, so that a change of the machine's load affects all alike.
"""

import logging
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import numpy as np
import tyro
from numpy.typing import NDArray

from potstill.artifacts import BENCH, BENCH_PLOT, atomic_file, not_ours, read_object, write_json, writing
from potstill.corpus.columns import Columns
from potstill.corpus.examples import Example, read_examples
from potstill.corpus.labels import encode_labels, for_task
from potstill.corpus.splits import find_split
from potstill.corpus.texts import Text
from potstill.errors import PotstillError
from potstill.evaluation.cascades import CascadeSide, MeasuredCascade, measure_cascades
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.peers import Peer, PeerTask, check_peer, train_first
from potstill.evaluation.results import Column, figure_columns
from potstill.model_folder import ModelFolder
from potstill.progress import Progress, silent
from potstill.reporting.scatter import Point, draw_svg
from potstill.runtime.classifier import Classifier, load
from potstill.runtime.threads import asked_threads
from potstill.tables import table
from potstill.tasks import find_task

logger = logging.getLogger(__name__)

_ROUNDS = 3
_TIMED = 300  # texts that are timed in each round, for each row


@dataclass(frozen=True)
class BenchOptions:
    """Measure students and teachers side by side, raw text to label."""

    models: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of students, each measured in every precision it has a file for."""
    data: Path
    """Data folder whose test is predicted and timed, after a warm-up on its valid."""
    columns: Annotated[Columns, tyro.conf.arg(name="")] = field(default_factory=Columns)
    teacher: Path | None = None
    """Folder of an exported teacher: measured too, and the second stage of each student's cascade."""
    peers: tuple[str, ...] = ()
    """Classifiers of other libraries, trained on the data's train for comparison: fasttext, tfidf (with logistic
    regression), model2vec:ENCODER (a static model distilled from that encoder, then trained)."""
    batch: tuple[int, ...] = (1, 32)
    """Texts a call."""
    out: Path | None = None
    """Folder for bench.json and bench.svg, the plot of accuracy (of several labels macro F1) against latency."""

    def __post_init__(self) -> None:
        if not self.models or min(self.batch, default=0) < 1:
            raise PotstillError("give at least one model, and a --batch of 1 or more")


@dataclass(frozen=True)
class Timing:
    """One model's times with a number of threads and of texts a call; milliseconds a call.

    :param tokenise_ms: median of text to ids, measured by itself; ``model_ms`` is the rest of ``p50_ms``. None for a
        peer and for a student in the native core, which do not separate them.
    :param texts_per_second: over all calls.
    """

    threads: int
    batch: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    tokenise_ms: float | None
    model_ms: float | None
    texts_per_second: float


@dataclass(frozen=True)
class Benched:
    """One model in one precision.

    :param accuracy: the share of right labels on test; where a text may have several, of texts with all labels right.
    :param macro_f1: the mean of the labels' F1 on test.
    :param micro_f1: F1 over all labels of all texts together, where a text may have several; else None.
    :param average_precision: the mean of the labels' average precision, where a text may have several; None for a peer.
    :param timings: of a peer on one thread only: its library takes no number of threads.
    :param cascades: one a threshold, with the teacher's fastest precision as fallback; none for the teacher and for a
        peer.
    """

    name: str
    precision: str
    accuracy: float
    macro_f1: float
    micro_f1: float | None
    average_precision: float | None
    megabytes: float
    timings: list[Timing]
    cascades: list[MeasuredCascade] = field(default_factory=list)


@dataclass(frozen=True)
class Bench:
    """All models.

    :param out: the folder with the JSON file and the plot, or None.
    :param problem_type: of the models' task.
    """

    rows: list[Benched]
    out: Path | None
    problem_type: str

    @property
    def columns(self) -> list[Column]:
        """The columns of its table that are shares of test."""
        task = find_task(self.problem_type)
        return figure_columns(task, task.accuracy_name)

    def __str__(self) -> str:
        lines = [_timing_table(self.rows, self.columns), "", "milliseconds a call, raw text to label"]
        if any(row.cascades for row in self.rows):
            lines += ["", _cascade_table(self.rows, find_task(self.problem_type).accuracy_name)]
        return "\n".join([*lines, *([f"{self.out}: {BENCH}, {BENCH_PLOT}"] if self.out else [])])


def _timing_table(rows: list[Benched], columns: Sequence[Column]) -> str:
    times = ("p50 ms", "p95 ms", "p99 ms", "tokens", "model")
    cells = [
        (
            f"{row.name} {row.precision}",
            *_shares(row, columns),
            f"{row.megabytes:.2f}",
            f"{timing.threads}",
            f"{timing.batch}",
            *(f"{ms:.3f}" for ms in (timing.p50_ms, timing.p95_ms, timing.p99_ms)),
            *("" if ms is None else f"{ms:.3f}" for ms in (timing.tokenise_ms, timing.model_ms)),
            f"{timing.texts_per_second:,.0f}",
        )
        for row in rows
        for timing in row.timings
    ]
    titles = (column.title for column in columns)
    return table(("model", *titles, "MB", "threads", "batch", *times, "texts/s"), cells)


def _shares(row: Benched, columns: Sequence[Column]) -> list[str]:
    shares = [getattr(row, column.field) for column in columns]
    return ["" if share is None else f"{100 * share:.2f}" for share in shares]


def _cascade_table(rows: list[Benched], accuracy_name: str) -> str:
    cells = [
        (
            f"{row.name} {row.precision}",
            f"{cascade.threshold:g}",
            f"{100 * cascade.share:.1f}",
            f"{100 * cascade.accuracy:.2f}",
            f"{cascade.mean_ms:.3f}",
        )
        for row in rows
        for cascade in row.cascades
    ]
    return table(("a cascade of", "below", "% to teacher", accuracy_name, "mean ms"), cells)


@dataclass(frozen=True)
class _Entry:
    """A model in one precision, ready for each number of threads.

    :param figures: on test, those of :class:`Benched` by name.
    :param is_right: whether the label of each of test's texts is the gold one, or the several are.
    :param confidence: the decision's probability for each of them; None for a peer.
    """

    name: str
    precision: str
    megabytes: float
    models: Mapping[int, Classifier | Peer]
    figures: Mapping[str, float]
    is_right: NDArray[np.bool_]
    confidence: NDArray[np.float32] | None = None

    def as_cascade_side(self, ms: float) -> CascadeSide:
        """A student or a teacher as one side of a cascade."""
        assert self.confidence is not None
        return CascadeSide(self.confidence, self.is_right, ms)


class _Call(NamedTuple):
    """One call's milliseconds, and those of its tokenising, measured by itself; None for a peer."""

    ms: float
    tokenise_ms: float | None


def bench(options: BenchOptions, progress: Progress = silent) -> Bench:
    """Measure every model on test.

    :raises PotstillError: when a folder, the data or a peer's library is missing, or a label of test is not the
        model's.
    """
    if options.out:
        _check_out(options.out)
    peers = [check_peer(name) for name in options.peers]
    _check_tasks([*options.models, *([options.teacher] if options.teacher else [])])
    examples = _read(options, "test")
    test, valid = Labelled.of(examples), Labelled.of(_read(options, "valid"))
    batches = [size for size in options.batch if size <= len(examples)]
    if not batches:
        raise PotstillError(f"--batch={min(options.batch)}: test has {len(examples)} texts; give a smaller --batch")
    for size in sorted(set(options.batch) - set(batches)):
        logger.warning("--batch=%d is left out: test has %d texts", size, len(examples))
    students = [entry for folder in options.models for entry in _open(folder, examples)]
    teachers = _open(options.teacher, examples) if options.teacher else []
    others = [entry for peer in peers for entry in _train(*peer, options, valid, test)]
    entries = [*students, *teachers, *others]
    timings = _time_all(entries, batches, valid.texts, test.texts, progress)
    slow = range(len(students), len(students) + len(teachers))
    fastest = min(slow, key=lambda row: timings[row][0].p50_ms, default=None)
    rows = []
    for number, (entry, times) in enumerate(zip(entries, timings, strict=True)):
        cascades = []
        if fastest is not None and number < len(students):
            teacher = entries[fastest].as_cascade_side(timings[fastest][0].p50_ms)
            cascades = measure_cascades(entry.as_cascade_side(times[0].p50_ms), teacher)
        rows.append(
            Benched(
                name=entry.name,
                precision=entry.precision,
                accuracy=float(entry.is_right.mean()),
                macro_f1=entry.figures["macro_f1"],
                micro_f1=entry.figures.get("micro_f1"),
                average_precision=entry.figures.get("average_precision"),
                megabytes=entry.megabytes,
                timings=times,
                cascades=cascades,
            )
        )
    result = Bench(rows, options.out, ModelFolder(options.models[0]).task.problem_type)
    if options.out:
        _write(result, options.out)
    return result


def _read(options: BenchOptions, split: str) -> list[Example]:
    """A split, with its labels as the first model gives them."""
    file = find_split(options.data, split)
    return for_task(read_examples(file, options.columns), ModelFolder(options.models[0]).task, str(file))


def _check_tasks(folders: Sequence[Path]) -> None:
    """Check that all models do the same.

    :raises PotstillError: when a text may have several labels in one and has one in another, or a folder is no model's.
    """
    for folder in folders:
        ModelFolder(folder).files()  # a folder without them is no model's
    of_first, *others = (ModelFolder(folder).task.problem_type for folder in folders)
    for folder, problem_type in zip(folders[1:], others, strict=True):
        if problem_type != of_first:
            raise PotstillError(
                f"{folder}: its problem_type is {problem_type}, that of {folders[0]} is {of_first}: bench models of "
                f"one kind together"
            )


def _open(folder: Path, examples: Sequence[Example]) -> list[_Entry]:
    """A row for each precision that a folder has a file of."""
    model, entries = ModelFolder(folder), []
    for precision in model.precisions or ["fp32"]:
        megabytes = model.megabytes(precision)  # first: a folder without its files is no model's
        classifiers = {threads: load(folder, threads, precision) for threads in _thread_counts()}
        classifier = classifiers[max(classifiers)]
        gold = encode_labels(examples, classifier.classes_.tolist(), "test")
        probabilities = classifier.predict_proba([example.content for example in examples])
        task = classifier.task
        figures = task.figures(probabilities, gold)
        is_right = task.is_right(task.decide_from_probabilities(probabilities), gold)
        confidence = task.confidence(probabilities)
        entries.append(_Entry(folder.name, precision, megabytes, classifiers, figures, is_right, confidence))
    return entries


def _train(name: str, encoder: str, options: BenchOptions, valid: Labelled, test: Labelled) -> list[_Entry]:
    """A row for each form that a peer has; none where its library fails."""
    train = Labelled.of(_read(options, "train"))
    entries = []
    with TemporaryDirectory() as scratch:
        for peer in train_first(name, PeerTask(train, valid, Path(scratch), encoder)):
            predicted = peer.predict(test.texts)
            figures, micro_f1 = {"macro_f1": test.f1(predicted)}, test.micro_f1(predicted)
            figures |= {} if micro_f1 is None else {"micro_f1": micro_f1}
            is_right = test.is_right(predicted)
            entries.append(_Entry(name, peer.precision, peer.megabytes, {1: peer}, figures, is_right))
    return entries


def _thread_counts() -> list[int]:
    return sorted({1, asked_threads()})


def _time_all(
    entries: list[_Entry], batches: Sequence[int], warm_up: Sequence[Text], texts: Sequence[Text], progress: Progress
) -> list[list[Timing]]:
    """The times of each entry; first those on one thread and of the first batch size."""
    modes = [(threads, batch) for threads in _thread_counts() for batch in batches]
    calls_by_mode: list[dict[tuple[int, int], list[_Call]]] = [
        {mode: [] for mode in modes if mode[0] in entry.models} for entry in entries
    ]
    with progress("timing", _ROUNDS * sum(map(len, calls_by_mode))) as bar:
        for _ in range(_ROUNDS):
            for threads, batch in modes:
                with _tokenizer_threads(threads):
                    for entry, calls in zip(entries, calls_by_mode, strict=True):
                        if threads in entry.models:
                            calls[threads, batch] += _time(entry.models[threads], batch, warm_up, texts)
                            bar.update(1)
    return [[_summarise(calls, *mode) for mode, calls in by_mode.items()] for by_mode in calls_by_mode]


@contextmanager
def _tokenizer_threads(threads: int) -> Iterator[None]:
    """Keep ``tokenizers`` to one thread where one is measured: it splits the texts of a call among all of them."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
    try:
        yield
    finally:
        os.environ.pop("TOKENIZERS_PARALLELISM")
        if before is not None:
            os.environ["TOKENIZERS_PARALLELISM"] = before


def _time(model: Classifier | Peer, batch: int, warm_up: Sequence[Text], texts: Sequence[Text]) -> list[_Call]:
    for start in range(0, min(_TIMED, len(warm_up)), batch):
        model.predict(warm_up[start : start + batch])
    calls = []
    for start in range(0, min(_TIMED, len(texts)) - batch + 1, batch):
        texts_of_call = texts[start : start + batch]
        began = time.perf_counter()
        model.predict(texts_of_call)
        ended = time.perf_counter()
        tokenise_ms = None
        if isinstance(model, Classifier) and model.tokenises_apart:
            model.encode(texts_of_call)
            tokenise_ms = 1000 * (time.perf_counter() - ended)
        calls.append(_Call(1000 * (ended - began), tokenise_ms))
    return calls


def _summarise(calls: list[_Call], threads: int, batch: int) -> Timing:
    total = np.array([call.ms for call in calls])
    p50, p95, p99 = np.percentile(total, (50, 95, 99)).tolist()
    parts = [call.tokenise_ms for call in calls if call.tokenise_ms is not None]
    tokenise_ms = statistics.median(parts) if parts else None
    return Timing(
        threads=threads,
        batch=batch,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        tokenise_ms=tokenise_ms,
        model_ms=None if tokenise_ms is None else max(0.0, p50 - tokenise_ms),
        texts_per_second=1000 * batch * len(total) / float(total.sum()),
    )


def _check_out(out: Path) -> None:
    """Check, before anything is measured, that the figures can be written and replace none but older ones.

    :raises PotstillError: when they cannot.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    if (out / BENCH).exists():
        if "rows" not in read_object(out / BENCH):
            raise not_ours(out / BENCH)
    elif (out / BENCH_PLOT).exists():
        raise not_ours(out / BENCH_PLOT)


def _write(bench: Bench, out: Path) -> None:
    headline = bench.columns[0]
    points = [
        Point(f"{row.name} {row.precision}", row.timings[0].p50_ms, 100 * getattr(row, headline.field))
        for row in bench.rows
    ]
    with atomic_file(out / BENCH_PLOT) as partial:
        partial.write_text(draw_svg(points, headline.title), encoding="utf-8")
    write_json(out / BENCH, {"problem_type": bench.problem_type, "rows": [asdict(row) for row in bench.rows]})
