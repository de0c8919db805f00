"""Sample: the texts of a run that are most worth labelling by hand, as a CSV file to fill in."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from numpy.typing import NDArray

from potstill.artifacts import LABELLED, RUN, TEXTS, hash_json, read_manifest
from potstill.corpus.texts import Text, map_text, parts_of
from potstill.corpus.transfer import transfer_parts
from potstill.corpus.words import as_words
from potstill.errors import PotstillError, require
from potstill.model_folder import ModelFolder
from potstill.outputs import check_apart, is_standard_output, text_output
from potstill.progress import Progress, silent
from potstill.runs.contents import read_record, read_split
from potstill.runtime.classifier import Classifier, load
from potstill.tasks import Task, shown_label

Why = Literal["disagree", "unsure", "random"]
"""Why a text is in a sample: teacher and student disagree, the teacher is unsure, or it was drawn."""

_COLUMNS = ("label", "why", "teacher", "student")  # after the text, or the two of a pair


@dataclass(frozen=True)
class SampleOptions:
    """Choose texts to label by hand: where student and teacher disagree, the teacher is unsure, and some at random."""

    run: Annotated[Path, tyro.conf.Positional]
    """The folder of a finished run."""
    out: Path
    """The CSV file. Fill in its column label; potstill distill --gold takes it."""
    n: int = 100
    """How many texts, as many of each kind."""
    kinds: tuple[Why, ...] = ("disagree", "unsure", "random")
    """Which kinds. Only texts drawn at random tell how often the teacher is right on all of them; the others are
    harder."""
    seed: int = 42
    """Seed of what is drawn at random."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise PotstillError(f"--n={self.n}: give 1 or more")
        if not self.kinds:
            raise PotstillError("--kinds: give one or more of disagree, unsure, random")


@dataclass(frozen=True)
class Sampled:
    """A sample.

    :param counts: of its texts by kind.
    """

    out: Path
    counts: dict[Why, int]

    def __str__(self) -> str:
        if is_standard_output(self.out):
            return ""  # it holds the texts and nothing else
        kinds = ", ".join(f"{n} {kind}" for kind, n in self.counts.items())
        return f"{self.out}: {sum(self.counts.values())} texts ({kinds}); fill in its column 'label'"


@dataclass(frozen=True)
class _Answered:
    """Texts that nobody has labelled, with the probabilities of teacher and student, ``[n_texts, n_labels]``.

    :param tasks: of the two, each with its own thresholds where a text may have several labels.
    """

    texts: list[Text]
    teacher: NDArray[np.float32]
    student: NDArray[np.float32]
    tasks: tuple[Task, Task]


def sample(options: SampleOptions, progress: Progress = silent) -> Sampled:
    """Choose texts that the teacher labelled and nobody else did.

    :raises PotstillError: when the run has not finished, or has no such texts.
    """
    require("train", "pyarrow")
    run = options.run
    if not (run / RUN).is_file() or not (run / "student").is_dir():
        raise PotstillError(f"{run}: no finished run; give the folder of one, which potstill distill made")
    _check_whole(run)
    check_apart(options.out, [file for file in run.rglob("*") if file.is_file()])
    student, teacher = load(run / "student"), ModelFolder(run / "teacher")
    answered = _read(run, student, teacher, progress)
    chosen = dict(_choose(answered, options))
    counts: dict[Why, int] = {kind: 0 for kind in options.kinds}
    with text_output(options.out) as file:
        writer = csv.writer(file)
        is_single = isinstance(answered.texts[0], str)
        writer.writerow([*(("text",) if is_single else ("text", "text_pair")), *_COLUMNS])
        for row, why in chosen.items():
            probabilities = zip(answered.tasks, (answered.teacher, answered.student), strict=True)
            labels = [shown_label(task.answers(each[[row]], student.classes_)[0]) for task, each in probabilities]
            writer.writerow([*parts_of([answered.texts[row]]), "", why, *labels])
            counts[why] += 1
    return Sampled(options.out, counts)


def _check_whole(run: Path) -> None:
    """Check that the student learnt from the texts that are there now.

    :raises PotstillError: when the run is half made again.
    """
    stages = [name for name in (LABELLED, "data", "transfer", "evaluation", "student") if (run / name).is_dir()]
    inputs = {name: (read_manifest(run / name) or {"inputs": {}})["inputs"] for name in stages}
    hashes = {name: hash_json(of_stage) for name, of_stage in inputs.items()}
    links = [(of_stage.get(name), hashes[name]) for at, of_stage in inputs.items() for name in stages if name != at]
    if any(isinstance(link, str) and link != there for link, there in links):
        raise PotstillError(f"{run}: half made again; give its potstill distill command once more first")


def _read(run: Path, student: Classifier, teacher: ModelFolder, progress: Progress) -> _Answered:
    texts: list[Text] = []
    probabilities: list[list[NDArray[np.float32]]] = [[], []]
    wanted = _unlabelled_texts(run)
    with progress("predicting", 0) as bar:
        for part in transfer_parts(run / (LABELLED if (run / LABELLED).is_dir() else "transfer")):
            rows = [row for row, text in enumerate(part.texts) if wanted is None or text in wanted]
            if rows:
                part_texts = [part.texts[row] for row in rows]
                texts += part_texts
                probabilities[0].append(teacher.task.probabilities(part.logits[rows], teacher.temperature))
                probabilities[1].append(student.predict_proba(part_texts))
                bar.update(len(rows))
    labelled = (
        {_as_words(example.content) for example in read_split(run, "test")}
        if read_record(run)["config"]["gold"]
        else set()
    )
    kept = [row for row, text in enumerate(texts) if _as_words(text) not in labelled]
    if not kept:
        raise PotstillError(f"{run}: no text in it that only the teacher labelled: nothing to sample")
    both = [np.concatenate(parts)[kept] for parts in probabilities]
    return _Answered([texts[row] for row in kept], both[0], both[1], (teacher.task, student.task))


def _as_words(text: Text) -> Text:
    return map_text(text, as_words)


def _unlabelled_texts(run: Path) -> set[Text] | None:
    """The texts of a run with gold labels that have none; None: no text of the run has one.

    :raises PotstillError: when all have.
    """
    if (run / LABELLED).is_dir():
        return None
    texts = set(_of_kind(run / "augmented" / TEXTS, "unlabelled")) if (run / "augmented").is_dir() else set()
    if not texts:
        raise PotstillError(
            f"{run}: all of its own texts have gold labels; sample chooses among texts without: give some with "
            f"potstill distill --unlabelled"
        )
    return texts


def _of_kind(file: Path, kind: str) -> Iterator[Text]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(file) as table:
        columns = [name for name in ("text", "text_pair", "kind") if name in table.schema_arrow.names]
        for batch in table.iter_batches(columns=columns):
            for record in batch.to_pylist():
                if record["kind"] == kind:
                    yield (record["text"], record["text_pair"]) if "text_pair" in record else record["text"]


def _choose(answered: _Answered, options: SampleOptions) -> Iterator[tuple[int, Why]]:
    """Rows, each with why it is chosen; none twice. A kind with too few texts leaves its share to the next ones."""
    distance = np.abs(answered.teacher - answered.student).sum(axis=1)
    of_teacher, of_student = answered.tasks
    decided = of_teacher.as_gold(of_teacher.decide_from_probabilities(answered.teacher))
    differ = np.flatnonzero(~of_student.is_right(of_student.decide_from_probabilities(answered.student), decided))
    orders: dict[Why, NDArray[np.int64]] = {
        "disagree": differ[np.argsort(-distance[differ], kind="stable")],
        "unsure": np.argsort(_sureness(answered.teacher, of_teacher), kind="stable"),
        "random": np.random.default_rng(options.seed).permutation(len(answered.texts)),
    }
    taken, left = set[int](), min(options.n, len(answered.texts))
    for number, kind in enumerate(kinds := list(dict.fromkeys(options.kinds))):
        share = -(-left // (len(kinds) - number))
        rows = [row for row in orders[kind].tolist() if row not in taken][:share]
        taken |= set(rows)
        left -= len(rows)
        yield from ((row, kind) for row in rows)


def _sureness(probabilities: NDArray[np.float32], task: Task) -> NDArray[np.float32]:
    """How sure a model is of each text, ``[n_texts]``: how much likelier its label is than the next one, and where a
    text may have several, how likely all of them are right.
    """
    if task.takes_several:
        return task.confidence(probabilities)
    ordered = np.sort(probabilities, axis=1)
    sureness: NDArray[np.float32] = ordered[:, -1] - ordered[:, -2]
    return sureness
