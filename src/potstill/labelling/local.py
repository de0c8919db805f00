"""Labelling in this process, shard by shard: each is written whole or not at all, and a rerun makes those missing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import shard_name
from potstill.corpus.encoded import Encoded, Text
from potstill.corpus.transfer import write_shard
from potstill.progress import Progress, silent

if TYPE_CHECKING:
    from upath import UPath

Predict = Callable[[Encoded, Progress], NDArray[np.float32]]
"""From encoded texts to logits, float32 ``[n_texts, n_labels]``."""

Encode = Callable[[int, Sequence[Text]], Encoded]
"""From the number of a shard's first text and its texts to the same texts, encoded for :data:`Predict`."""


@dataclass(frozen=True)
class Shard:
    """Texts that are to be labelled.

    :param start: the number of the first among all texts.
    """

    index: int
    start: int
    texts: Sequence[Text]


def label_shards(
    shards: Iterable[Sequence[Text]],
    encode: Encode,
    predict: Predict,
    folder: "Path | UPath",
    *,
    n_shards: int,
    progress: Progress = silent,
) -> int:
    """Label texts into ``part-*.parquet`` files of a folder, those that are not there yet.

    A shard's texts are encoded in a thread while the model is at the shard before: two shards are in memory.

    :param shards: the texts of each shard, as they are to stand in it.
    :param n_shards: how many there are.
    :return: how many of them were made by this call.
    """
    n_made = 0
    for shard, encoded in _ahead(missing_shards(shards, folder), encode):
        logits = predict(encoded, _in_shard(progress, shard.index + 1, n_shards))
        write_shard(folder / shard_name(shard.index), shard.texts, logits)
        n_made += 1
    return n_made


def missing_shards(shards: Iterable[Sequence[Text]], folder: "Path | UPath") -> Iterator[Shard]:
    """The shards that a folder does not have yet."""
    start = 0
    for index, texts in enumerate(shards):
        if not (folder / shard_name(index)).exists():
            yield Shard(index, start, texts)
        start += len(texts)


def _ahead(shards: Iterator[Shard], encode: Encode) -> Iterator[tuple[Shard, Encoded]]:
    """The shards, each encoded in a thread while the one before it is in use."""

    def following() -> tuple[Shard, Encoded] | None:
        shard = next(shards, None)
        return None if shard is None else (shard, encode(shard.start, shard.texts))

    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(following)
        while (item := waiting.result()) is not None:
            waiting = thread.submit(following)
            yield item


def _in_shard(progress: Progress, number: int, n_shards: int) -> Progress:
    return lambda description, total: progress(f"{description} shard {number}/{n_shards}", total)
