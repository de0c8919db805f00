"""Arrays that are written row by row."""

from pathlib import Path

import numpy as np
import pytest

from potstill.corpus.npy_writer import npy_writer


@pytest.mark.parametrize("rows", [[0], [3], [1, 0, 4], [7, 12_345]])
def test_appended_parts_are_one_array(rows: list[int], tmp_path: Path) -> None:
    table = np.arange(2 * sum(rows), dtype=np.float32).reshape(-1, 2)
    with npy_writer(tmp_path) as append:
        for part in np.split(table, np.cumsum(rows)[:-1]):
            append("table", part)
            append("ids", part[:, 0].astype(np.int64))
    for name, expected in (("table", table), ("ids", table[:, 0].astype(np.int64))):
        array = np.load(tmp_path / f"{name}.npy", mmap_mode="r" if sum(rows) else None)
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)


def test_rows_of_another_kind_are_refused(tmp_path: Path) -> None:
    with npy_writer(tmp_path) as append:
        append("table", np.zeros((1, 2), dtype=np.float32))
        for other in (np.zeros((1, 3), dtype=np.float32), np.zeros((1, 2), dtype=np.int64)):
            with pytest.raises(ValueError, match="after float32"):
                append("table", other)
