"""Streams of texts that may be larger than memory: in parts, and without duplicates. Knows no files."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.texts import Text

# Texts that are in memory at once, and a shard of a transfer set: the set itself may be larger than memory.
# A shard is also what a kill loses at most: 85 seconds of a MiniLM-L6 teacher on one thread.
PART_ROWS = 20_000

Item = TypeVar("Item")
AnyText = TypeVar("AnyText", bound=Text)


def in_parts(items: Iterable[Item], rows: int = PART_ROWS) -> Iterator[list[Item]]:
    """The items in lists of ``rows``; the last one may have fewer."""
    remaining = iter(items)
    while part := list(islice(remaining, rows)):
        yield part


class Seen:
    """The texts seen so far: 8 bytes of hash a text, not the text.

    Texts with the same 64 bits of BLAKE2b hash count as one text. Among 10 million different texts, a collision has a
    probability of three in a million. The hashes are in sorted arrays, each at least twice as long as
    the next, so that few are searched and adding costs little.
    """

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []

    def add(self, texts: Sequence[Text]) -> NDArray[np.bool_]:
        """Remember texts.

        :return: bool ``[len(texts)]``: those that have not come before, in earlier calls or earlier in this one.
        """
        hashes, first = np.unique(_hashes(texts), return_index=True)
        known = np.zeros(len(hashes), dtype=np.bool_)
        for run in self._runs:
            at = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            known |= run[at] == hashes
        self._keep(hashes[~known])
        new = np.zeros(len(texts), dtype=np.bool_)
        new[first[~known]] = True
        return new

    def _keep(self, hashes: NDArray[np.uint64]) -> None:
        while self._runs and len(self._runs[-1]) < 2 * len(hashes):
            hashes = np.concatenate([self._runs.pop(), hashes])
            hashes.sort(kind="stable")  # fast: it merges sorted runs
        if len(hashes):
            self._runs.append(hashes)


def _hashes(texts: Sequence[Text]) -> NDArray[np.uint64]:
    joined = (text if isinstance(text, str) else "\t".join(text) for text in texts)
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in joined)
    return np.frombuffer(digests, dtype=np.uint64)


def distinct(texts: Iterable[AnyText]) -> Iterator[AnyText]:
    """The texts in order, without those that came before."""
    seen = Seen()
    for part in in_parts(texts):
        yield from (text for text, new in zip(part, seen.add(part).tolist(), strict=True) if new)
