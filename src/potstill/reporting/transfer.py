"""What a run's transfer set is made of: how many texts of each kind, and some of each with the teacher's label."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import CONFIG, TEMPERATURE, TEXTS, read_json, shards
from potstill.corpus.transfer import TransferSet, read_transfer
from potstill.corpus.words import MASK, OTHER_MASKS, word_splitter
from potstill.runs.contents import read_split, run_labels
from potstill.tasks import find_task

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

_N_SAMPLES = 4  # of each kind
_MASKS = re.compile("|".join(map(re.escape, (MASK, *OTHER_MASKS))))
_RUN = re.compile(rf"(?:{_MASKS.pattern})\s*(?:{_MASKS.pattern})")
_UNKNOWN, _NONE = -2, -1  # instead of the row of train that a text was made from


@dataclass(frozen=True)
class Piece:
    """A part of a text.

    :param change: ``masked`` or ``replaced``; empty for what stands in the text's source too.
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

    :param sure: the mean probability of their likeliest labels.
    """

    title: str
    n_texts: int
    sure: float
    samples: list[Sample]


@dataclass(frozen=True)
class MakeUp:
    """A transfer set.

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
    label: int
    probability: float


@dataclass
class _Tally:
    """What has been seen of a kind; ``sure`` is a sum."""

    n_texts: int = 0
    sure: float = 0.0
    rows: list[_Row] = field(default_factory=list)


def find_make_up(run: Path) -> MakeUp:
    """Read a run's transfer set, a shard at a time.

    :raises PotstillError: when a shard is damaged.
    """
    train = [example.text for example in read_split(run, "train")]
    labels = run_labels(run)
    is_given = not (run / "augmented").is_dir()
    temperature = 1.0 if is_given else float(read_json(run / "teacher" / CONFIG).get(TEMPERATURE, 1.0))
    tallies = {name: _Tally() for name in KINDS}
    namer, generator, task = _Namer(train), np.random.default_rng(0), find_task()
    for part, sources in _read_parts(run, is_given):
        names = np.array([namer.name(text, source) for text, source in zip(part.texts, sources, strict=True)])
        probabilities = task.probabilities(part.logits, temperature)
        _count(part, sources, names, probabilities, generator.random(len(sources)), tallies)
    kinds = [
        Kind(KINDS[name], one.n_texts, one.sure / one.n_texts, [_sample(row, train, labels) for row in one.rows])
        for name, one in tallies.items()
        if one.n_texts
    ]
    return MakeUp(kinds, is_given)


def _read_parts(run: Path, is_given: bool) -> Iterator[tuple[TransferSet, list[int]]]:
    """The shards, with the row of train that each text was made from; an older version did not keep it."""
    import pyarrow.parquet

    sources, start = None, 0
    if not is_given and "source" in pyarrow.parquet.read_schema(run / "augmented" / TEXTS).names:
        column = pyarrow.parquet.read_table(run / "augmented" / TEXTS, columns=["source"])["source"]
        sources = column.fill_null(_NONE).to_numpy()
    for shard in shards(run / "transfer"):
        part = read_transfer(shard)
        stop = start + len(part.texts)
        yield part, [_UNKNOWN] * len(part.texts) if sources is None else sources[start:stop].tolist()
        start = stop


class _Namer:
    """Tells the kind of a text."""

    def __init__(self, train: Sequence[str]) -> None:
        self._own = {" ".join(text.lower().split()) for text in train}
        self._lengths = [len(text.split()) for text in train]

    def name(self, text: str, source: int) -> str:
        """A name in :data:`KINDS`.

        :param source: the row of train, or :data:`_UNKNOWN` or :data:`_NONE`.
        """
        words = text.lower().split()
        if " ".join(words) in self._own:
            return "own"
        if source == _NONE:
            return "unlabelled"
        if source >= 0 and len(words) < self._lengths[source]:  # masking and replacing keep every word's place
            return "cut"
        if _MASKS.search(text):
            return "run" if _RUN.search(text) else "masked"
        return "replaced" if source >= 0 else "other"


def _count(
    part: TransferSet,
    sources: Sequence[int],
    names: NDArray[np.str_],
    probabilities: NDArray[np.float32],
    draws: NDArray[np.float64],
    tallies: dict[str, _Tally],
) -> None:
    """Add a shard to the tallies.

    :param names: of each text its kind, ``[n_texts]``; ``draws`` a number by chance.
    :param probabilities: ``[n_texts, n_labels]``.
    """
    task = find_task()
    best, sure = task.decide_from_probabilities(probabilities), task.confidence(probabilities)
    for name, tally in tallies.items():
        rows = np.flatnonzero(names == name)
        tally.n_texts += len(rows)
        tally.sure += float(sure[rows].sum(dtype=np.float64))
        for row in rows[np.argsort(draws[rows])[:_N_SAMPLES]].tolist():
            found = _Row(float(draws[row]), part.texts[row], sources[row], int(best[row]), float(sure[row]))
            tally.rows.append(found)
        tally.rows = sorted(tally.rows, key=lambda row: row.draw)[:_N_SAMPLES]


def _sample(row: _Row, train: Sequence[str], labels: Sequence[str]) -> Sample:
    source = train[row.source] if row.source >= 0 else None
    is_changed = source is not None and source.lower().split() != row.text.lower().split()
    return Sample(
        pieces=mark_changes(row.text, source),
        source=source if is_changed else None,
        label=labels[row.label],
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
        given = [source[start:end].lower() for start, end, _ in _find_words(source)]
        for kind, _, _, first, last in SequenceMatcher(None, given, words, autojunk=False).get_opcodes():
            for place in range(first, last):
                if kind != "equal" and not changes[place]:
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
    found, at = [], 0
    splitter = word_splitter()
    for mask in [*_MASKS.finditer(text), None]:
        until = mask.start() if mask else len(text)
        words = splitter.pre_tokenize_str(text[at:until])
        found += [(at + start, at + end, False) for _, (start, end) in words]
        if mask:
            found.append((mask.start(), mask.end(), True))
            at = mask.end()
    return found
