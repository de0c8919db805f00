"""Labelling in this process, shard by shard: each is written whole or not at all; a rerun makes the missing ones."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from potstill.artifacts import shard_name
from potstill.corpus.encoded import Text
from potstill.corpus.transfer import write_shard
from potstill.progress import Progress, silent
from potstill.teachers import Teacher

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
    """Label texts into ``part-*.parquet`` files of a folder, those that do not exist yet.

    :param shards: the texts of each shard, in the order of the files.
    :param n_shards: how many there are.
    :return: how many of them were made by this call.
    """
    n_made = 0
    for shard in missing_shards(shards, folder):
        logits = teacher(shard.texts, _in_shard(progress, shard.index + 1, n_shards))
        write_shard(folder / shard_name(shard.index), shard.texts, logits)
        n_made += 1
    return n_made


def missing_shards(shards: Iterable[Sequence[Text]], folder: "Path | UPath") -> Iterator[Shard]:
    """The shards that a folder does not have yet."""
    for index, texts in enumerate(shards):
        if not (folder / shard_name(index)).exists():
            yield Shard(index, texts)


def _in_shard(progress: Progress, number: int, n_shards: int) -> Progress:
    return lambda description, total: progress(f"{description} shard {number}/{n_shards}", total)
