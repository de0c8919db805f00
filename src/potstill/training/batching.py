"""Batches of similar length, so that almost nothing is padding; shuffled again in each epoch, by seed."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from potstill.corpus.encoded import Encoded

_POOL = 50  # batches sorted together: similar lengths within a batch, random order between batches


class EncodedDataset(Dataset[dict[str, torch.Tensor]]):
    """Encoded texts for a torch ``DataLoader`` that asks for whole batches of rows.

    :param pad_id: the padding's token id.
    """

    def __init__(self, encoded: Encoded, pad_id: int) -> None:
        self.encoded = encoded
        self._pad_id = pad_id

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        return {name: array[0] for name, array in self.__getitems__([row]).items()}

    def __getitems__(self, rows: list[int]) -> dict[str, torch.Tensor]:
        """One padded batch of these rows, for the batches of :class:`LengthBatchSampler`."""
        batch = self.encoded.pad(np.asarray(rows, dtype=np.int64), self._pad_id)
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in batch.items()}


def as_collated(batch: Any) -> Any:
    """The collate function of :class:`EncodedDataset`: its batches come collated."""
    return batch


class LengthBatchSampler(Sampler[list[int]]):
    """Rows in batches of similar length.

    Each epoch shuffles the rows, cuts them into pools of :data:`_POOL` batches, sorts each pool by length,
    cuts it into batches and shuffles the batches. The same seed and epoch give the same batches.

    Several processes each get their part of every batch, of equal size: where a short batch cannot be shared evenly,
    some of its rows are in it twice.

    :param lengths: int64 ``[n_texts]``.
    :param batch_size: rows a batch, over all processes; the last one may have fewer.
    :param rank: which of ``n_ranks`` processes this is.
    """

    def __init__(
        self, lengths: NDArray[np.int64], batch_size: int, seed: int, *, rank: int = 0, n_ranks: int = 1
    ) -> None:
        self.batch_size = batch_size
        self.drop_last = False
        self._lengths = lengths
        self._seed = seed
        self._rank = rank
        self._n_ranks = n_ranks
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches :meth:`__iter__` gives."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-len(self._lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        # Training on batches that are not padded to 100 words is 4.0 to 6.6 times as fast; ngram, which only averages
        # rows, gains nothing. Only lengths and order grow in memory, 24 bytes a text: 10 million train in 1.73 GB.
        generator = np.random.default_rng([self._seed, self._epoch])
        order = generator.permutation(len(self._lengths))
        pool = self.batch_size * _POOL
        batches: list[NDArray[np.int64]] = []  # arrays: lists of numbers take five times the memory
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            rows = rows[np.argsort(self._lengths[rows], kind="stable")]
            batches += [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]
        # Only full pools fill their last batch, so at most one batch is short, as len() says.
        yield from (self._own(batches[i]).tolist() for i in generator.permutation(len(batches)))

    def _own(self, batch: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process' part of a batch."""
        n_rows = -(-len(batch) // self._n_ranks)
        return np.resize(batch, n_rows * self._n_ranks)[self._rank :: self._n_ranks]
