"""Splitting texts of several labels so that each split has its share of every label: iterative stratification
(Sechidis et al. 2011, https://doi.org/10.1007/978-3-642-23808-6_10)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FEW = 3  # texts of a label: each of three parts gets one


def stratify(labels: Sequence[tuple[str, ...]], shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """The part of each text, int64 ``[n_texts]``.

    The rarest label is shared out first, each of its texts to the part that lacks the label most.

    :param labels: of each text.
    :param shares: of the parts, which add up to one; the first gets what the others do not need.
    """
    names = {name: index for index, name in enumerate(sorted({name for own in labels for name in own}))}
    rows_of: list[set[int]] = [set() for _ in names]
    own_ids = [[names[name] for name in own] for own in labels]
    for row, own in enumerate(own_ids):
        for label in own:
            rows_of[label].add(row)
    counts = np.array([len(rows) for rows in rows_of], dtype=np.float64)
    lacking = np.outer(shares, counts)  # [n_parts, n_labels]
    lacking[1:, counts >= _FEW] = np.maximum(lacking[1:, counts >= _FEW], 1)
    lacking[0] = counts - lacking[1:].sum(axis=0)
    room = np.array(shares) * len(labels)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels))
    place = {int(row): rank for rank, row in enumerate(order)}  # by chance, but not by how a set is kept
    parts = np.full(len(labels), -1, dtype=np.int64)

    def give(row: int, part: int) -> None:
        parts[row] = part
        room[part] -= 1
        for label in own_ids[row]:
            lacking[part, label] -= 1
            rows_of[label].discard(row)

    while left := [label for label, rows in enumerate(rows_of) if rows]:
        rarest = min(left, key=lambda label: (len(rows_of[label]), label))
        for row in sorted(rows_of[rarest], key=place.__getitem__):
            most = lacking[:, rarest].max()
            give(row, int(max(np.flatnonzero(lacking[:, rarest] == most), key=lambda part: room[part])))
    for row in order.tolist():
        if parts[row] < 0:
            give(row, int(room.argmax()))
    return parts
