"""A transfer set: texts with the teacher's logits, as Parquet shards, one Parquet file, or the recipe's TSV.

Other answers than logits, in columns, are read by :mod:`potstill.corpus.answers`.

It is made, labelled, averaged and read in parts, because it may be larger than memory. Only making it needs memory
that grows with it: 16 bytes a text. A restart makes the missing shards. Logits are read from a column of their own, or
from a file that the caller declares a transfer set: a label that looks like a number is still a label.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import atomic_file, shard_name, shards
from potstill.corpus.answers import Answers
from potstill.corpus.columns import Columns
from potstill.corpus.lines import read_lines
from potstill.corpus.readers import column_names, ending, has_columns
from potstill.corpus.streams import PART_ROWS, in_parts
from potstill.corpus.texts import Text
from potstill.errors import PotstillError, reason, require, shown
from potstill.files import check_readable, reading, rereadable

if TYPE_CHECKING:
    from upath import UPath

_TEXT, _PAIR, _LOGITS = "text", "text_pair", "logits"  # the columns of a shard


@dataclass(frozen=True)
class TransferSet:
    """Texts and logits.

    :param logits: float32 ``[len(texts), n_labels]``.
    """

    texts: Sequence[Text]
    logits: NDArray[np.float32]

    def rows(self, start: int, stop: int | None = None) -> "TransferSet":
        """The texts from ``start`` up to ``stop``, with their logits."""
        return TransferSet(self.texts[start:stop], self.logits[start:stop])


def read_transfer(path: Path) -> TransferSet:
    """Read a transfer set that fits into memory; see :func:`transfer_parts`."""
    parts = list(transfer_parts(path))
    return TransferSet([text for part in parts for text in part.texts], np.concatenate([part.logits for part in parts]))


def transfer_parts(path: Path, answers: Answers | None = None) -> Iterator[TransferSet]:
    """Read a transfer set in parts of :data:`PART_ROWS` texts: a folder of shards or a Parquet file (columns ``text``,
    ``logits``), or a TSV file of ``text<TAB>logit logit ...`` as the recipe's ``augmented.txt``. Of pairs there is a
    column ``text_pair``, or one more field.

    :param answers: how CSV, JSONL and Parquet without logits are read; without it they are not.
    :raises PotstillError: naming file and line, for anything else.
    """
    n_texts, width = 0, 0
    for part in _evenly(_read_parts(path, answers)):
        if width and part.logits.shape[1] != width:
            widths = sorted({width, part.logits.shape[1]})
            raise PotstillError(f"{path}: parts with {widths} logits a text: they are not one transfer set")
        finite = np.isfinite(part.logits).all(axis=1)
        if not finite.all():
            row = n_texts + int(np.argmin(finite)) + 1
            raise PotstillError(f"{path}: row {row} has a logit that is not a finite number; label it again")
        n_texts, width = n_texts + len(part.texts), part.logits.shape[1]
        yield part
    if not n_texts:
        raise PotstillError(f"{path}: no texts in it")


def _read_parts(path: Path, answers: Answers | None) -> Iterator[TransferSet]:
    if answers is not None and _has_answers(path, answers):
        yield from (TransferSet(texts, logits) for texts, logits in answers.parts(path))
        return
    columns = answers.columns if answers else Columns()
    # The recipe's TSV: its users copy what the teacher's command wrote to where the student's command reads it.
    if not path.is_dir() and ending(path) != ".parquet":
        yield from _read_tsv(path)
        return
    files = shards(path) if path.is_dir() else [path]
    if not files:
        raise PotstillError(f"{path}: no part-*.parquet in it; it is not a transfer set")
    for shard in files:
        yield from _read_parquet(shard, columns)


def _has_answers(path: Path, answers: Answers) -> bool:
    """Whether a file has probabilities or labels in columns, and no logits."""
    if path.is_dir() or not has_columns(path):
        return False
    is_named = bool(answers.columns.probability_column)
    return is_named or ending(path) != ".parquet" or _LOGITS not in column_names(path)


def _evenly(parts: Iterable[TransferSet]) -> Iterator[TransferSet]:
    """The same texts in parts of :data:`PART_ROWS`, whatever the lengths of ``parts``."""
    held: TransferSet | None = None
    for part in parts:
        if held is not None and part.logits.shape[1] == held.logits.shape[1]:
            part = TransferSet([*held.texts, *part.texts], np.concatenate([held.logits, part.logits]))
        elif held is not None:
            yield held
        whole = len(part.texts) // PART_ROWS * PART_ROWS
        for start in range(0, whole, PART_ROWS):
            yield part.rows(start, start + PART_ROWS)
        held = part.rows(whole) if whole < len(part.texts) else None
    if held is not None:
        yield held


def check_transfer(paths: Sequence[Path], answers: Answers, *, paired: bool) -> None:
    """Check the first texts of transfer sets: that the columns are there, and what they hold.

    :param paired: whether the data is pairs of texts.
    :raises PotstillError: as :func:`transfer_parts` and :func:`check_kind`.
    """
    for path in paths:
        check_kind(path, next(transfer_parts(path, answers)).texts, paired=paired)


def check_kind(path: Path, texts: Sequence[Text], *, paired: bool) -> None:
    """Check that texts are of the data's kind.

    :param paired: whether the data is pairs of texts.
    :raises PotstillError: when one is not.
    """
    if any(isinstance(text, str) == paired for text in texts):
        kinds = ("single texts", "pairs of texts")
        raise PotstillError(
            f"{path}: has {kinds[not paired]}, but the data has {kinds[paired]}: give a set of the data's own kind"
        )


def average_parts(paths: Sequence[Path], answers: Answers | None = None) -> Iterator[TransferSet]:
    """Several teachers' logits on the same texts as one set, in parts: an ensemble.

    Each set's logits are scaled to the standard deviation of the first set's.

    :param answers: see :func:`transfer_parts`.
    :raises PotstillError: when one is no transfer set, or has other texts or labels than the first.
    """
    if len(paths) == 1:
        yield from transfer_parts(paths[0], answers)
        return
    deviations = [_deviation(path, answers) for path in paths]
    # A teacher whose logits are twice as large would count double.
    scales = [deviations[0] / deviation if deviation else 0.0 for deviation in deviations]
    for first, *others in zip_longest(*(transfer_parts(path, answers) for path in paths)):
        for path, other in zip(paths[1:], others, strict=True):
            if not first or not other or first.texts != other.texts or first.logits.shape != other.logits.shape:
                raise PotstillError(f"{path}: other texts or labels than in {paths[0]}: give sets of the same ones")
        scaled = np.stack([part.logits * scale for part, scale in zip((first, *others), scales, strict=True)])
        average: NDArray[np.float32] = scaled.mean(axis=0)
        yield TransferSet(first.texts, average)


def _deviation(path: Path, answers: Answers | None) -> float:
    """The standard deviation of a transfer set's logits, from those of its parts (Chan et al. 1979)."""
    n, mean, squares = 0, 0.0, 0.0
    for part in transfer_parts(path, answers):
        logits = part.logits.astype(np.float64)
        shift = float(logits.mean()) - mean
        squares += float(((logits - logits.mean()) ** 2).sum()) + shift**2 * n * logits.size / (n + logits.size)
        mean += shift * logits.size / (n + logits.size)
        n += logits.size
    return float(np.sqrt(squares / n))


def _read_parquet(path: Path, columns: Columns) -> Iterator[TransferSet]:
    """The texts and logits of a file.

    :param columns: those that the user says have the texts; where none is named, or a name that it lacks: ``text``, and
        ``text_pair`` if it is there.
    """
    require("train", "pyarrow")
    import pyarrow
    import pyarrow.parquet

    try:
        with reading(path), pyarrow.parquet.ParquetFile(rereadable(path)) as file:
            names = file.schema_arrow.names
            text = columns.text_column if columns.text_column in names else _TEXT
            second = columns.text_pair_column if columns.text_pair_column in names else _PAIR
            if not {text, _LOGITS} <= set(names):
                raise PotstillError(f"{path}: not a transfer set with columns text and logits (it has {shown(names)})")
            n_rows = 0
            pair = [second] if second in names else []
            for batch in file.iter_batches(PART_ROWS, columns=[text, _LOGITS, *pair]):
                if len(batch):
                    texts = [batch.column(name) for name in (text, *pair)]
                    yield _from_columns(texts, batch.column(_LOGITS), path, n_rows)
                n_rows += len(batch)
    except (pyarrow.ArrowException, OSError, ValueError) as error:  # damaged pages, text that is not UTF-8
        check_readable(rereadable(path))
        raise PotstillError(f"{path}: not a transfer set with columns text and logits ({reason(error)})") from None


def _from_columns(columns: Sequence[Any], logits: Any, path: Path, n_before: int) -> TransferSet:
    """Arrow columns as texts and logits; ``n_before`` rows of the file came before them.

    :param columns: that of the texts, and of pairs that of the second texts.
    """
    import pyarrow.compute
    from pyarrow import types

    texts = list(zip(*(column.to_pylist() for column in columns), strict=True))
    is_list = any(is_kind(logits.type) for is_kind in (types.is_list, types.is_large_list, types.is_fixed_size_list))
    values = logits.flatten() if is_list else logits
    is_number = is_list and (types.is_floating(values.type) or types.is_integer(values.type))
    if not is_number or logits.null_count or values.null_count or not all(map(_are_texts, texts)):
        for row, each in enumerate(texts, start=n_before + 1):
            numbers = logits[row - n_before - 1].as_py() if is_number else None
            if not _are_texts(each) or numbers is None or None in numbers:
                raise PotstillError(f"{path}:{row}: no text, or no list of numbers as its logits; label it again")
    _check_widths(set(pyarrow.compute.list_value_length(logits).to_pylist()), str(path))
    contents: list[Text] = [(each[0], each[1]) if len(each) == 2 else each[0] for each in texts]
    return TransferSet(contents, _as_floats(values.to_numpy(zero_copy_only=False)).reshape(len(texts), -1))


def _are_texts(texts: Iterable[object]) -> bool:
    return all(isinstance(text, str) and bool(text) and not text.isspace() for text in texts)


def _as_floats(logits: Any) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # too large a number becomes infinite, which is refused with its row
        return np.asarray(logits).astype(np.float32)


def _read_tsv(path: Path) -> Iterator[TransferSet]:
    for lines in in_parts(read_lines(path)):
        texts: list[Text] = []
        logits = []
        for number, line in lines:
            *parts, values = line.split("\t")
            try:
                logits.append([float(value) for value in values.split()])
            except ValueError:
                raise PotstillError(
                    f"{path}:{number}: '{shown(values)}' are not logits; a line is text<TAB>logit logit ..., as "
                    f"potstill evaluate --augmented writes it"
                ) from None
            if not parts or not all(part.strip() for part in parts):
                raise PotstillError(f"{path}:{number}: no text before its logits")
            if len(parts) > 2 or (texts and isinstance(texts[0], str) != (len(parts) == 1)):
                raise PotstillError(
                    f"{path}:{number}: {len(parts)} texts before its logits: give each line one, or each a pair"
                )
            texts.append((parts[0], parts[1]) if len(parts) == 2 else parts[0])
        _check_widths({len(row) for row in logits}, str(path))
        yield TransferSet(texts, _as_floats(logits))


def _check_widths(widths: set[int], source: str) -> None:
    if len(widths) > 1 or widths & {0, 1}:
        raise PotstillError(f"{source}: rows with {sorted(widths)} logits; every row needs one logit a label")


def write_shard(path: "Path | UPath", texts: Sequence[Text], logits: NDArray[np.float32]) -> None:
    """Write one Parquet shard, whole or not at all.

    :param path: of the file; behind a URL it appears once it is complete.
    :param texts: single texts, or pairs (then with a column ``text_pair``).
    :param logits: float32 ``[len(texts), n_labels]``.
    """
    require("train", "pyarrow")
    import pyarrow
    import pyarrow.parquet

    columns = {"text": [text if isinstance(text, str) else text[0] for text in texts]}
    if texts and not isinstance(texts[0], str):
        columns[_PAIR] = [text[1] for text in texts]
    flat = pyarrow.array(logits.reshape(-1).astype(np.float32))
    arrays = columns | {"logits": pyarrow.FixedSizeListArray.from_arrays(flat, logits.shape[1])}
    table = pyarrow.table(arrays)
    if not isinstance(path, Path):
        sink = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(table, sink, compression="zstd")
        path.write_bytes(sink.getvalue().to_pybytes())
        return
    with atomic_file(path) as partial:
        pyarrow.parquet.write_table(table, partial, compression="zstd")


def write_shards(folder: Path, parts: Iterable[TransferSet]) -> None:
    """Write a transfer set as the shards of a folder, a part each."""
    for index, part in enumerate(parts):
        write_shard(folder / shard_name(index), part.texts, part.logits)


def write_tsv(path: Path, parts: Iterable[tuple[Sequence[Text], Sequence[str]]]) -> None:
    """Write texts and the teacher's output for each in the recipe's form, ``text<TAB>logit logit ...`` or
    ``text<TAB>label``, whole or not at all.

    :param parts: texts, single or pairs, and the last field of each.
    """
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        for texts, fields in parts:
            for text, field in zip(texts, fields, strict=True):
                file.write("\t".join([text, field] if isinstance(text, str) else [*text, field]) + "\n")


def as_fields(logits: NDArray[np.float32]) -> list[str]:
    """Logits as the last fields of TSV lines, with six decimals."""
    return [" ".join(f"{value:.6f}" for value in row) for row in logits]
