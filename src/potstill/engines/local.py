"""Labelling in this process, shard by shard: each is written whole or not at all, and a rerun makes those missing."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import shard_name
from potstill.corpus.encoded import Encoded, Text
from potstill.corpus.transfer import write_shard
from potstill.progress import Progress, silent

SHARD_ROWS = 20_000

Predict = Callable[[Encoded, Progress], NDArray[np.float32]]
"""From encoded texts to logits, float32 ``[n_texts, n_labels]``."""


def label_shards(
    texts: Sequence[Text],
    encoded: Encoded,
    predict: Predict,
    folder: Path,
    *,
    shard_rows: int = SHARD_ROWS,
    progress: Progress = silent,
) -> int:
    """Label texts into ``part-*.parquet`` files of a folder, those that are not there yet.

    :param texts: as they are to stand in the shards.
    :param encoded: the same texts, encoded for ``predict``.
    :param shard_rows: texts a shard.
    :return: how many shards were made by this call.
    """
    starts = range(0, len(texts), shard_rows)
    missing = [index for index in range(len(starts)) if not (folder / shard_name(index)).exists()]
    for index in missing:
        start, stop = starts[index], min(starts[index] + shard_rows, len(texts))
        logits = predict(encoded.rows(start, stop), _in_shard(progress, index + 1, len(starts)))
        write_shard(folder / shard_name(index), texts[start:stop], logits)
    return len(missing)


def _in_shard(progress: Progress, number: int, n_shards: int) -> Progress:
    return lambda description, total: progress(f"{description} shard {number}/{n_shards}", total)
