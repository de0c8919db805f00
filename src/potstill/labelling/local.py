"""Labelling in this process, shard by shard: each is written whole or not at all; a rerun makes the missing ones."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import atomic_file, left_out_name, shard_name
from potstill.corpus.texts import Text
from potstill.corpus.transfer import write_shard
from potstill.progress import Progress, silent
from potstill.teachers import Teacher
from potstill.teachers.left_out import LeftOut, left_out_of, without_answer

if TYPE_CHECKING:
    from upath import UPath


@dataclass(frozen=True)
class Shard:
    """Texts that are to be labelled."""

    index: int
    texts: Sequence[Text]


def label_shards(
    shards: Iterable[Sequence[Text]],
    teacher: Teacher,
    folder: "Path | UPath",
    *,
    n_shards: int,
    progress: Progress = silent,
) -> int:
    """Label texts into ``part-*.parquet`` files of a folder, those that do not exist yet; without the texts that the
    teacher has no answer for.

    :param shards: the texts of each shard, in the order of the files.
    :param n_shards: how many there are.
    :return: how many of them were made by this call.
    """
    n_made = 0
    for shard in missing_shards(shards, folder):
        logits = teacher(shard.texts, _in_shard(progress, shard.index + 1, n_shards))
        write_labelled(folder, shard, logits, left_out_of(teacher, shard.texts, logits))
        n_made += 1
    return n_made


def write_labelled(
    folder: "Path | UPath", shard: Shard, logits: NDArray[np.float32], left_out: Sequence[LeftOut]
) -> None:
    """Write a shard without the texts that have no answer, and these beside it, first: both are there, or none is.

    :param logits: float32 ``[len(shard.texts), n_labels]``.
    """
    write_left_out(folder / left_out_name(shard.index), left_out)
    if left_out:
        rows = np.flatnonzero(~without_answer(logits)).tolist()
        write_shard(folder / shard_name(shard.index), [shard.texts[row] for row in rows], logits[rows])
    else:
        write_shard(folder / shard_name(shard.index), shard.texts, logits)


def write_left_out(path: "Path | UPath", left_out: Iterable[LeftOut]) -> None:
    """Write texts without an answer as JSON lines with ``text`` and ``reason``; a file of none is removed."""
    lines = [json.dumps({"text": each.text, "reason": each.reason}, ensure_ascii=False) + "\n" for each in left_out]
    content = "".join(lines).encode(errors="replace")
    if not lines:
        path.unlink(missing_ok=True)
    elif isinstance(path, Path):
        with atomic_file(path) as partial:
            partial.write_bytes(content)
    else:
        path.write_bytes(content)


def missing_shards(shards: Iterable[Sequence[Text]], folder: "Path | UPath") -> Iterator[Shard]:
    """The shards that a folder does not have yet."""
    for index, texts in enumerate(shards):
        if not (folder / shard_name(index)).exists():
            yield Shard(index, texts)


def _in_shard(progress: Progress, number: int, n_shards: int) -> Progress:
    return lambda description, total: progress(f"{description} shard {number}/{n_shards}", total)
