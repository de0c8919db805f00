"""Writes ``.npy`` files row by row: no array is in memory as a whole."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from numpy.lib import format as npy
from numpy.typing import NDArray

Append = Callable[[str, NDArray[Any]], None]
"""``append(name, rows)``: put rows at the end of the array of that name."""


@contextmanager
def npy_writer(folder: Path) -> Iterator[Append]:
    """Give a function that appends to the arrays ``NAME.npy`` of a folder; they are readable at the end.

    The first rows of an array define its type, and its shape without the number of rows.
    """
    with ExitStack() as files:
        opened: dict[str, _NpyFile] = {}

        def append(name: str, rows: NDArray[Any]) -> None:
            if name not in opened:
                file = files.enter_context((folder / f"{name}.npy").open("wb"))
                opened[name] = _NpyFile(file, rows)
            opened[name].append(rows)

        yield append
        for array in opened.values():
            array.finish()


class _NpyFile:
    """One ``.npy`` file. Its header is written again at the end; numpy leaves room in it for any number of rows."""

    def __init__(self, file: BinaryIO, like: NDArray[Any]) -> None:
        self._file = file
        self._like = like[:0]
        self._n_rows = 0
        self._write_header()

    def append(self, rows: NDArray[Any]) -> None:
        if rows.dtype != self._like.dtype or rows.shape[1:] != self._like.shape[1:]:
            raise ValueError(f"{rows.dtype}{rows.shape[1:]} after {self._like.dtype}{self._like.shape[1:]}")
        self._file.write(rows.tobytes())
        self._n_rows += len(rows)

    def finish(self) -> None:
        self._file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        header = npy.header_data_from_array_1_0(self._like) | {"shape": (self._n_rows, *self._like.shape[1:])}
        npy.write_array_header_1_0(self._file, header)
