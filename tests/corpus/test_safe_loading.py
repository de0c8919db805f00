"""Arrays and tokenizers from anybody."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.corpus.safe_loading import OneLineErrors, open_array
from potstill.errors import PotstillError


def with_header(shape: str, kind: str = "<f4") -> bytes:
    """A .npy file of 64 zero bytes that says it has a shape."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)


def test_an_array_is_mapped_and_not_written_to(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(3, dtype=np.float16))
    array = open_array(tmp_path / "a.npy")
    np.testing.assert_array_equal(array, np.eye(3))
    assert isinstance(array, np.memmap) and not array.flags.writeable
    (tmp_path / "b.npy").write_bytes(with_header("(4, 4)"))
    assert open_array(tmp_path / "b.npy").shape == (4, 4)


@pytest.mark.parametrize(
    "shape",
    [
        "(10000000000000000,)", "(100000000000, 3)", "(4294967296, 4294967296)", "(9223372036854775807, 2)",
        "(5, 4)", "(1, -1)", "(-4,)", "(1.5,)", "4", "None", "(" * 500, "(" * 5000, "'",
    ],
)  # fmt: skip
def test_a_shape_that_the_file_does_not_have_costs_nothing(shape: str, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(with_header(shape))
    with pytest.raises(PotstillError, match=r"a\.npy: not a numeric \.npy file") as raised:
        open_array(tmp_path / "a.npy")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["<U4", "<M8[s]", "<c8", "|V4", "|b1", "|O"])
def test_an_array_of_no_numbers_is_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(with_header("(1,)", kind))
    with pytest.raises(PotstillError, match=r"a\.npy: not a numeric \.npy file"):
        open_array(tmp_path / "a.npy")


def test_a_zip_of_arrays_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.savez(file, a=np.eye(2))
    (tmp_path / "a.npy").write_bytes(file.getvalue())
    with pytest.raises(PotstillError, match=r"a\.npy: not a numeric \.npy file"):
        open_array(tmp_path / "a.npy")


class _Touching:
    """What leaves a trace where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    np.save(tmp_path / "a.npy", np.array([_Touching(trace)], dtype=object))
    with pytest.raises(PotstillError, match=r"a\.npy: not a numeric \.npy file"):
        open_array(tmp_path / "a.npy")
    assert not trace.exists()
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert trace.exists()  # so the file was a trap


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"a\.npy: no such file"):
        open_array(tmp_path / "a.npy")


class PanicException(BaseException):
    """Named as what Rust's libraries raise, which is no Exception."""


@pytest.mark.parametrize("error", [ValueError("two\nlines"), PanicException("two"), MemoryError()])
def test_every_error_of_a_library_is_one_line(error: BaseException) -> None:
    with pytest.raises(PotstillError, match=r"^bad \((two|MemoryError)\)$"), OneLineErrors("bad"):
        raise error


def test_an_interrupt_and_our_own_errors_pass() -> None:
    for error in (KeyboardInterrupt(), PotstillError("ours")):
        with pytest.raises(type(error)) as raised, OneLineErrors("bad"):
            raise error
        assert raised.value is error
