"""The lines of text files: UTF-8, compressed or not, each with its number."""

import gzip
import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from itertools import count
from pathlib import Path

from potstill.errors import PotstillError
from potstill.files import IS_POINTER, LFS_POINTER, reading, rereadable

logger = logging.getLogger(__name__)

LONGEST_LINE = 1 << 24  # bytes; a file without line ends is no text
GZIP = ".gz"


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 text file (``.gz``: compressed) that are not blank, with their numbers from 1.

    :raises PotstillError: when the file is missing or damaged or a line is not UTF-8.
    """
    blank = 0
    with open_lines(path) as file:
        for number, text in decoded(path, file):
            line = text.rstrip("\r\n")
            if line.strip():
                yield number, line
            else:
                blank += 1
    tell_of_blank(path, blank)


@contextmanager
def open_lines(path: Path) -> Iterator[BufferedIOBase]:
    """Open a file's bytes, unpacked; those of a pipe are copied first."""
    with open_packed(path, rereadable(path)) as file:
        yield file


def open_packed(path: Path, source: Path) -> BufferedIOBase:
    """Open a file's bytes, unpacked where its name says that they are compressed.

    :param source: where the bytes are.
    """
    return gzip.open(source) if path.suffix.lower() == GZIP else source.open("rb")


def tell_of_blank(path: Path, blank: int) -> None:
    """Log how many lines of a file were skipped."""
    if blank:
        logger.info("%s: skipped %d blank lines", path, blank)


def decoded(path: Path, file: BufferedIOBase) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file with their numbers from 1, with their ends, without a byte-order mark.

    A line longer than :data:`LONGEST_LINE` is not read to its end.
    """
    try:
        for number in count(1):
            with reading(path):
                raw = file.readline(LONGEST_LINE + 1)
            if not raw:
                return
            if number == 1 and raw.startswith(LFS_POINTER):
                raise PotstillError(f"{path}: {IS_POINTER}")
            if len(raw) > LONGEST_LINE:
                raise PotstillError(f"{path}:{number}: a line of over {LONGEST_LINE:,} bytes; is this a text file?")
            yield number, _decode(path, number, raw)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise PotstillError(f"{path}: a damaged .gz file, or half of one ({error})") from None


def _decode(path: Path, number: int, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise PotstillError(
            f"{path}:{number}: not UTF-8 (byte {raw[error.start]:#04x}); convert it: iconv -f ENCODING -t UTF-8"
        ) from None
