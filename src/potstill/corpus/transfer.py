"""A transfer set: texts with the teacher's logits, as Parquet shards, one Parquet file, or the recipe's TSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import atomic_file, shards
from potstill.corpus.encoded import Text
from potstill.corpus.examples import read_lines
from potstill.errors import PotstillError, require


@dataclass(frozen=True)
class TransferSet:
    """Texts and logits.

    :param logits: float32 ``[len(texts), n_labels]``.
    """

    texts: list[str]
    logits: NDArray[np.float32]


def read_transfer(path: Path) -> TransferSet:
    """Read a transfer set: a folder of shards or a Parquet file (columns ``text``, ``logits``), or a TSV file
    of ``text<TAB>logit logit ...`` as the recipe's ``augmented.txt``.

    :raises PotstillError: naming file and line, for anything else.
    """
    if path.is_dir() or path.suffix == ".parquet":
        found = shards(path) if path.is_dir() else [path]
        if not found:
            raise PotstillError(f"{path}: no part-*.parquet in it; it is not a transfer set")
        parts = [_read_parquet(part) for part in found]
        widths = {part.logits.shape[1] for part in parts if part.texts}
        if len(widths) > 1:
            raise PotstillError(f"{path}: parts with {sorted(widths)} logits a text: they are not one transfer set")
        texts = [text for part in parts for text in part.texts]
        transfer = TransferSet(texts, np.concatenate([part.logits for part in parts]))
    else:
        transfer = _read_tsv(path)
    if not transfer.texts:
        raise PotstillError(f"{path}: no texts in it")
    if not np.isfinite(transfer.logits).all():
        row = int(np.argmax(~np.isfinite(transfer.logits).all(axis=1)))
        raise PotstillError(f"{path}: row {row + 1} has a logit that is not a finite number; label it again")
    return transfer


def average_transfer(paths: Sequence[Path]) -> TransferSet:
    """Several teachers' logits on the same texts as one set: an ensemble.

    Each set's logits are scaled so that their standard deviation is the first set's: one teacher's may be twice as
    large as another's, which would then count double.

    :raises PotstillError: when one is no transfer set, or has other texts or labels than the first.
    """
    first, *others = (read_transfer(path) for path in paths)
    total = first.logits.astype(np.float64)
    for path, other in zip(paths[1:], others, strict=True):
        if other.texts != first.texts or other.logits.shape != first.logits.shape:
            raise PotstillError(f"{path}: not the texts and labels of {paths[0]}: only the same can be averaged")
        total += other.logits * (first.logits.std() / max(float(other.logits.std()), 1e-12))
    return TransferSet(first.texts, (total / len(paths)).astype(np.float32))


def _read_parquet(path: Path) -> TransferSet:
    require("train", "pyarrow")
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path, columns=["text", "logits"])
    except FileNotFoundError:
        raise PotstillError(f"{path}: no such file") from None
    except (pyarrow.ArrowInvalid, OSError) as error:  # OSError: a page within is damaged
        reason = str(error).splitlines()[0]
        raise PotstillError(f"{path}: not a transfer set with columns text and logits ({reason})") from None
    texts, logits = table["text"].to_pylist(), table["logits"].to_pylist()
    for row, (text, values) in enumerate(zip(texts, logits, strict=True), start=1):
        if not isinstance(text, str) or not isinstance(values, list) or None in values:
            raise PotstillError(f"{path}:{row}: no text, or no list of numbers as its logits; label it again")
    return TransferSet(texts, _stack(logits, str(path)))


def _read_tsv(path: Path) -> TransferSet:
    texts, logits = [], []
    for number, line in read_lines(path):
        text, _, values = line.rpartition("\t")
        try:
            logits.append([float(value) for value in values.split()])
        except ValueError:
            raise PotstillError(
                f"{path}:{number}: '{values}' are not logits; a line is text<TAB>logit logit ..., as "
                f"potstill evaluate --augmented writes it"
            ) from None
        if not text.strip():
            raise PotstillError(f"{path}:{number}: no text before its logits")
        texts.append(text)
    return TransferSet(texts, _stack(logits, str(path)))


def _stack(logits: list[list[float]], source: str) -> NDArray[np.float32]:
    widths = {len(row) for row in logits}
    if len(widths) > 1 or widths & {0, 1}:
        raise PotstillError(f"{source}: rows with {sorted(widths)} logits; every row needs one logit a label")
    return np.array(logits, dtype=np.float32)


def write_shard(path: Path, texts: Sequence[Text], logits: NDArray[np.float32]) -> None:
    """Write one Parquet shard, whole or not at all.

    :param texts: single texts, or pairs (then with a column ``text_pair``).
    :param logits: float32 ``[len(texts), n_labels]``.
    """
    require("train", "pyarrow")
    import pyarrow
    import pyarrow.parquet

    columns = {"text": [text if isinstance(text, str) else text[0] for text in texts]}
    if texts and not isinstance(texts[0], str):
        columns["text_pair"] = [text[1] for text in texts]
    flat = pyarrow.array(logits.reshape(-1).astype(np.float32))
    arrays = columns | {"logits": pyarrow.FixedSizeListArray.from_arrays(flat, logits.shape[1])}
    with atomic_file(path) as partial:
        pyarrow.parquet.write_table(pyarrow.table(arrays), partial, compression="zstd")


def write_tsv(path: Path, texts: Sequence[Text], logits: NDArray[np.float32]) -> None:
    """Write a transfer set in the recipe's form, ``text<TAB>logit logit ...``."""
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        for text, row in zip(texts, logits, strict=True):
            fields = [text] if isinstance(text, str) else list(text)
            file.write("\t".join([*fields, " ".join(f"{value:.6f}" for value in row)]) + "\n")
