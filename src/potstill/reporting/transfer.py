"""What a run's transfer set is made of: how many texts of each kind, and some of each with the teacher's label."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import TEXTS, shards
from potstill.corpus.texts import joined
from potstill.corpus.transfer import TransferSet, read_transfer
from potstill.corpus.words import MASK, OTHER_MASKS, word_splitter
from potstill.model_folder import ModelFolder
from potstill.runs.contents import read_split, run_labels
from potstill.tasks import Task, shown_label

KINDS = {
    "own": "train's own texts",
    "masked": "words masked",
    "run": "a run of words masked",
    "replaced": "words replaced",
    "cut": "cut to a few words",
    "unlabelled": "texts without labels",
    "other": "other texts",
}
"""The kinds of texts, in words. In a masked text words may be replaced too, in a cut one both."""

_OWN, _OTHER = "own", "other"

_N_SAMPLES = 4  # of each kind
_MASKS = re.compile("|".join(map(re.escape, (MASK, *OTHER_MASKS))))
_NO_SOURCE = -1  # instead of the row of train that a text was made from


@dataclass(frozen=True)
class Piece:
    """A part of a text.

    :param change: ``masked`` or ``replaced``; empty for what the text's source has too.
    """

    text: str
    change: str = ""


@dataclass(frozen=True)
class Sample:
    """A text of the transfer set.

    :param source: the text of train that it was made from, where that is known and another one.
    :param label: the likeliest by its logits, ``probability`` that label's.
    """

    pieces: list[Piece]
    source: str | None
    label: str
    probability: float


@dataclass(frozen=True)
class Kind:
    """The texts of one kind.

    :param mean_prob: of their likeliest labels.
    """

    title: str
    n_texts: int
    mean_prob: float
    samples: list[Sample]


@dataclass(frozen=True)
class Composition:
    """The texts of a transfer set by their kinds.

    :param kinds: those that occur, in the order of :data:`KINDS`.
    :param is_given: whether it came labelled, with ``--transfer``; its probabilities are then those of the plain
        logits, else calibrated as the run's teacher is.
    """

    kinds: list[Kind]
    is_given: bool

    @property
    def n_texts(self) -> int:
        """Of all kinds."""
        return sum(kind.n_texts for kind in self.kinds)


@dataclass(frozen=True)
class _Row:
    """A text that may become a sample: those with the smallest draws do."""

    draw: float
    text: str
    source: int
    label: str
    probability: float


@dataclass
class _Tally:
    """What has been counted of a kind; ``sum_of_probs`` is of the likeliest labels."""

    n_texts: int = 0
    sum_of_probs: float = 0.0
    rows: list[_Row] = field(default_factory=list)


def find_composition(run: Path) -> Composition:
    """Read a run's transfer set, a shard at a time.

    :raises PotstillError: when a shard is damaged.
    """
    train = [joined(example.content) for example in read_split(run, "train")]
    labels = np.array(run_labels(run), dtype=object)
    is_given = not (run / "augmented").is_dir()
    teacher = ModelFolder(run / "teacher")
    temperature = 1.0 if is_given else teacher.temperature
    tallies = {name: _Tally() for name in KINDS}
    parts = map(_as_lines, map(read_transfer, shards(run / "transfer")))
    generator = np.random.default_rng(0)
    for part, origins in _given_parts(parts, train) if is_given else _augmented_parts(parts, run / "augmented" / TEXTS):
        probabilities = teacher.task.probabilities(part.logits, temperature)
        _count(
            part, origins, probabilities, generator.random(len(part.texts)), tallies, task=teacher.task, names=labels
        )
    kinds = [
        Kind(
            title=KINDS[name],
            n_texts=tally.n_texts,
            mean_prob=tally.sum_of_probs / tally.n_texts,
            samples=[_sample(row, train) for row in tally.rows],
        )
        for name, tally in tallies.items()
        if tally.n_texts
    ]
    return Composition(kinds, is_given)


def _as_lines(part: TransferSet) -> TransferSet:
    """The same, with the texts of a pair as one line."""
    return TransferSet(list(map(joined, part.texts)), part.logits)


@dataclass(frozen=True)
class _Origins:
    """Where texts come from.

    :param kinds: of each its name in :data:`KINDS`, ``[n_texts]``.
    :param sources: of each the row of train that it was made from, or :data:`_NO_SOURCE`.
    """

    kinds: NDArray[np.object_]
    sources: list[int]


def _augmented_parts(parts: Iterable[TransferSet], file: Path) -> Iterator[tuple[TransferSet, _Origins]]:
    """A labelled set's parts, with what the file of its texts says of them."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(file, columns=["source", "kind"], read_dictionary=["kind"])
    sources, start = table["source"].fill_null(_NO_SOURCE).to_numpy(), 0
    for part in parts:
        stop = start + len(part.texts)
        kinds = np.array(table["kind"][start:stop].to_pylist(), dtype=object)
        yield part, _Origins(kinds, sources[start:stop].tolist())
        start = stop


def _given_parts(parts: Iterable[TransferSet], train: Sequence[str]) -> Iterator[tuple[TransferSet, _Origins]]:
    """The parts of a set that came labelled: all that can be said of its texts is whether train has them."""
    own = {_normalize(text) for text in train}
    for part in parts:
        kinds = np.array([_OWN if _normalize(str(text)) in own else _OTHER for text in part.texts], dtype=object)
        yield part, _Origins(kinds, [_NO_SOURCE] * len(part.texts))


def _normalize(text: str) -> str:
    return " ".join(text.lower().split())


def _count(
    part: TransferSet,
    origins: _Origins,
    probabilities: NDArray[np.float32],
    draws: NDArray[np.float64],
    tallies: dict[str, _Tally],
    *,
    task: Task,
    names: NDArray[np.object_],
) -> None:
    """Add a shard to the tallies.

    :param probabilities: ``[n_texts, n_labels]``.
    :param names: the labels, in id order.
    :param draws: random numbers, ``[n_texts]``: the samples of a kind are the texts with the smallest ones.
    """
    best, best_probs = task.decide_from_probabilities(probabilities), task.confidence(probabilities)
    best = task.decode(best, names)
    for name, tally in tallies.items():
        rows = np.flatnonzero(origins.kinds == name)
        tally.n_texts += len(rows)
        tally.sum_of_probs += float(best_probs[rows].sum(dtype=np.float64))
        candidates = [
            _Row(
                float(draws[row]),
                str(part.texts[row]),
                origins.sources[row],
                shown_label(best[row]),
                float(best_probs[row]),
            )
            for row in rows[np.argsort(draws[rows])[:_N_SAMPLES]].tolist()
        ]
        tally.rows = sorted([*tally.rows, *candidates], key=lambda row: row.draw)[:_N_SAMPLES]


def _sample(row: _Row, train: Sequence[str]) -> Sample:
    source = train[row.source] if row.source >= 0 else None
    is_changed = source is not None and _normalize(source) != _normalize(row.text)
    return Sample(
        pieces=mark_changes(row.text, source),
        source=source if is_changed else None,
        label=row.label,
        probability=row.probability,
    )


def mark_changes(text: str, source: str | None) -> list[Piece]:
    """A text in pieces: its masks, the words that its source lacks, and what is between.

    :param source: the text that it was made from; None where that is not known: masks alone are marked.
    """
    spans = _find_words(text)
    changes = ["masked" if is_mask else "" for _, _, is_mask in spans]
    if source is not None:
        words = [text[start:end].lower() for start, end, _ in spans]
        source_words = [source[start:end].lower() for start, end, _ in _find_words(source)]
        for operation, _, _, first, last in SequenceMatcher(None, source_words, words, autojunk=False).get_opcodes():
            for place in range(first, last):
                if operation != "equal" and not changes[place]:
                    changes[place] = "replaced"
    pieces, at = [], 0
    for (start, end, _), change in zip(spans, changes, strict=True):
        if change:
            pieces += [Piece(text[at:start])] if start > at else []
            pieces.append(Piece(text[start:end], change))
            at = end
    return pieces + ([Piece(text[at:])] if at < len(text) else [])


def _find_words(text: str) -> list[tuple[int, int, bool]]:
    """Where a text's words and masks start and end, and whether it is a mask."""
    spans, at = [], 0
    splitter = word_splitter()
    for mask in [*_MASKS.finditer(text), None]:
        until = mask.start() if mask else len(text)
        words = splitter.pre_tokenize_str(text[at:until])
        spans += [(at + start, at + end, False) for _, (start, end) in words]
        if mask:
            spans.append((mask.start(), mask.end(), True))
            at = mask.end()
    return spans
