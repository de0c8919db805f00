"""Batches of like length."""

import numpy as np

from potstill.training.batching import LengthBatchSampler

LENGTHS = np.random.default_rng(0).integers(1, 60, 12_345)


def batches(seed: int = 1, epoch: int = 0) -> list[list[int]]:
    sampler = LengthBatchSampler(LENGTHS, 32, seed)
    sampler.set_epoch(epoch)
    result = list(sampler)
    assert len(result) == len(sampler)
    return result


def test_every_row_comes_once_an_epoch() -> None:
    epoch_batches = batches()
    assert sorted(row for batch in epoch_batches for row in batch) == list(range(len(LENGTHS)))
    assert sum(len(batch) != 32 for batch in epoch_batches) == 1


def test_seed_and_epoch_say_the_order() -> None:
    assert batches() == batches()
    assert batches() != batches(seed=2)
    assert batches() != batches(epoch=1)


def test_next_to_nothing_is_padding() -> None:
    padded = sum(len(batch) * LENGTHS[batch].max() for batch in batches())
    assert padded < 1.05 * LENGTHS.sum()
