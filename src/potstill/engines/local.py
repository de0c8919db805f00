"""Labelling in this process, shard by shard: each is written whole or not at all, and a rerun makes those missing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import shard_name
from potstill.corpus.encoded import Encoded, Text
from potstill.corpus.transfer import write_shard
from potstill.progress import Progress, silent

Predict = Callable[[Encoded, Progress], NDArray[np.float32]]
"""From encoded texts to logits, float32 ``[n_texts, n_labels]``."""

Encode = Callable[[int, Sequence[Text]], Encoded]
"""From the number of a shard's first text and its texts to the same texts, encoded for :data:`Predict`."""


@dataclass(frozen=True)
class _Shard:
    """Texts that are ready to be labelled."""

    index: int
    texts: Sequence[Text]
    encoded: Encoded


def label_shards(
    shards: Iterable[Sequence[Text]],
    encode: Encode,
    predict: Predict,
    folder: Path,
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
    for shard in _ahead(_missing(shards, encode, folder)):
        logits = predict(shard.encoded, _in_shard(progress, shard.index + 1, n_shards))
        write_shard(folder / shard_name(shard.index), shard.texts, logits)
        n_made += 1
    return n_made


def _missing(shards: Iterable[Sequence[Text]], encode: Encode, folder: Path) -> Iterator[_Shard]:
    start = 0
    for index, texts in enumerate(shards):
        if not (folder / shard_name(index)).exists():
            yield _Shard(index, texts, encode(start, texts))
        start += len(texts)


def _ahead(shards: Iterator[_Shard]) -> Iterator[_Shard]:
    """The same shards, each made in a thread while the one before it is in use."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, shards, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, shards, None)
            yield item


def _in_shard(progress: Progress, number: int, n_shards: int) -> Progress:
    return lambda description, total: progress(f"{description} shard {number}/{n_shards}", total)
