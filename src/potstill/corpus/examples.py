"""Labelled text in memory, and reading it from one file. Knows nothing of splits, models or vocabularies."""

import csv
import gzip
import json
import logging
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BufferedIOBase
from itertools import chain, count, zip_longest
from pathlib import Path

from potstill.corpus.columns import (
    COLUMNS,
    LABEL_COLUMN,
    PAIR_COLUMNS,
    TEXT_COLUMNS,
    check_names,
    find_delimiter,
    is_header,
)
from potstill.corpus.encoded import Text
from potstill.corpus.streams import in_parts
from potstill.errors import PotstillError, reason, require, shown
from potstill.files import IS_POINTER, LFS_POINTER, check_input, check_readable, is_stream, reading, rereadable

logger = logging.getLogger(__name__)

LONGEST_LINE = 1 << 24  # bytes; a file without line ends is no text
GZIP = ".gz"
_FASTTEXT = "__label__"  # before each label in fastText's files
UNLABELLED = "dummy"  # the label of a text that has none, as in the recipe's augmented.raw


@dataclass(frozen=True)
class Example:
    """One text, or pair of texts, with its label and the line (or row) of its file, from 1."""

    text: str
    label: str
    pair: str | None = None
    line: int = field(default=0, compare=False)

    @property
    def content(self) -> Text:
        """The text, or the pair of texts."""
        return self.text if self.pair is None else (self.text, self.pair)


@dataclass(frozen=True)
class Row:
    """One raw record: its source, its line (or row) there from 1, and the values of its fields."""

    source: str
    line: int
    text: object
    label: object
    pair: object = None

    @property
    def where(self) -> str:
        """Source and line, as an error names them."""
        return f"{self.source}:{self.line}"


def read_examples(path: Path) -> list[Example]:
    """Read labelled text: TSV (``.txt``, ``.tsv``), CSV, JSONL or Parquet, by the file's ending.

    A TSV line is ``text<TAB>label`` or ``text_a<TAB>text_b<TAB>label``; the others have columns ``text``
    (or ``sentence``), ``label``, and ``text_pair`` for pairs. Labels are any strings. A byte-order mark
    and CRLF line ends are fine; blank lines are skipped and counted in the log.

    :raises PotstillError: naming file and line, for anything that is not such a file.
    """
    return [example for part in example_parts(path) for example in part]


def example_parts(path: Path) -> Iterator[list[Example]]:
    """The same in parts of :data:`potstill.corpus.streams.PART_ROWS`, for files that may be larger than memory."""
    kinds: set[bool] = set()
    for part in in_parts(map(check_row, _find_reader(path)(path, True))):
        kinds |= {example.pair is not None for example in part}
        if len(kinds) > 1:
            raise PotstillError(f"{path}: some examples are pairs and some single texts; all must be of one kind")
        yield part
    if not kinds:
        raise PotstillError(f"{path}: no examples in it; it needs at least one labelled text")


def read_texts(path: Path) -> Iterator[str]:
    """Read texts without labels, one after another: in ``.txt`` and ``.tsv`` a line is a text; the other formats are
    those of :func:`read_examples`, with or without a label.

    :raises PotstillError: naming file and line, for anything that is not such a file.
    """
    n_texts = 0
    for row in read_rows(path):
        n_texts += 1
        yield check_text(row)
    if not n_texts:
        raise PotstillError(f"{path}: no texts in it")


def read_rows(path: Path) -> Iterator[Row]:
    """The raw records of a file, with or without labels; see :func:`read_texts`."""
    return _find_reader(path)(path, False)


def check_text(row: Row) -> str:
    """The text of a raw record.

    :raises PotstillError: naming its place, when it is missing, empty or a pair.
    """
    if row.pair is not None:
        raise PotstillError(f"{row.where}: a pair of texts, where single texts are read")
    return check_row(replace(row, label=UNLABELLED)).text


def ending(path: Path) -> str:
    """A file's ending as :data:`READERS` has it; ``.gz`` behind one of text says only that it is compressed."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    is_packed = len(suffixes) == 2 and suffixes[1] == GZIP and suffixes[0] != ".parquet"
    return suffixes[0] if is_packed else path.suffix.lower()


def _find_reader(path: Path) -> "Reader":
    reader = READERS.get(ending(path))
    if reader is None and not path.suffix and is_stream(path):
        reader = _read_tsv  # /dev/stdin and <(...) have no ending
    if reader is None:
        raise PotstillError(
            f"{path}: unknown file ending; use one of {', '.join(sorted(READERS))}; text may be compressed ({GZIP})"
        )
    check_input(path)
    return reader


def check_row(row: Row) -> Example:
    """Turn a raw record into an example.

    :raises PotstillError: naming its place, when text or label is missing or empty.
    """
    texts = [row.text] if row.pair is None else [row.text, row.pair]
    for text in texts:
        if not isinstance(text, str):
            raise PotstillError(f"{row.where}: the text is missing or not a string; give it one or remove it")
        if not text.strip():
            raise PotstillError(f"{row.where}: empty text; give it one or remove it")
        if has_half(text):
            raise PotstillError(f"{row.where}: half a character (a lone surrogate) in the text; fix or remove it")
    pair = None if row.pair is None else str(row.pair).strip()
    return Example(text=str(row.text).strip(), label=_check_label(row), pair=pair, line=row.line)


def _check_label(row: Row) -> str:
    """A label as a string, composed: one that looks the same is the same."""
    label = row.label
    if isinstance(label, float) and label.is_integer():  # as pandas makes of whole numbers beside an empty cell
        label = int(label)
    if not isinstance(label, str | int) or not str(label).strip():
        raise PotstillError(f"{row.where}: no label; add one (a string or a whole number) or remove it")
    label = str(label).strip()
    if any(sign in label for sign in "\t\r\n"):
        raise PotstillError(f"{row.where}: the label has a tab or a line end in it; write it on one line without")
    if has_half(label):
        raise PotstillError(f"{row.where}: half a character (a lone surrogate) in the label; fix or remove it")
    return unicodedata.normalize("NFC", label)


def has_half(text: str) -> bool:
    """Whether a text has half a surrogate pair in it, which JSON can express, but UTF-8 cannot."""
    return text.encode(errors="ignore").decode() != text


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 text file (``.gz``: compressed) that are not blank, with their numbers from 1.

    :raises PotstillError: when the file is missing or damaged or a line is not UTF-8.
    """
    blank = 0
    with _open(path) as file:
        for number, text in _decoded(path, file):
            line = text.rstrip("\r\n")
            if line.strip():
                yield number, line
            else:
                blank += 1
    _tell_of(path, blank)


@contextmanager
def _open(path: Path) -> Iterator[BufferedIOBase]:
    with open_packed(path, rereadable(path)) as file:
        yield file


def open_packed(path: Path, source: Path) -> BufferedIOBase:
    """Open a file's bytes, unpacked where its name says that they are compressed.

    :param source: where the bytes are.
    """
    return gzip.open(source) if path.suffix.lower() == GZIP else source.open("rb")


def _tell_of(path: Path, blank: int) -> None:
    if blank:
        logger.info("%s: skipped %d blank lines", path, blank)


def _decoded(path: Path, file: BufferedIOBase) -> Iterator[tuple[int, str]]:
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


def _read_tsv(path: Path, labelled: bool) -> Iterator[Row]:
    is_first = True
    for number, line in read_lines(path):
        fields = line.split("\t")
        where = f"{path}:{number}"
        if is_first and is_header(fields):
            raise PotstillError(
                f"{where}: names of columns ({shown(', '.join(fields))}), not a text; .txt and .tsv have no header: "
                f"remove the line: sed -i {number}d FILE"
            )
        is_first = False
        if not labelled:
            if len(fields) > 1:
                raise PotstillError(f"{where}: a tab in a text without label; take it out, or cut -f1 the file")
            yield Row(str(path), number, line, None)
            continue
        if len(fields) == 1:
            is_fasttext = line.startswith(_FASTTEXT)
            way_out = r"; of fastText's form: sed -E 's/^__label__(\S+) (.*)/\2\t\1/' FILE" if is_fasttext else ""
            raise PotstillError(f"{where}: no label; a line is text<TAB>label{way_out}")
        if len(fields) > 3:
            raise PotstillError(
                f"{where}: {len(fields)} fields; a line is text<TAB>label or text_a<TAB>text_b<TAB>label"
            )
        yield Row(str(path), number, fields[0], fields[-1], fields[1] if len(fields) == 3 else None)


def _read_csv(path: Path, labelled: bool) -> Iterator[Row]:
    # csv's own limit is 131,072 characters a field.
    csv.field_size_limit(LONGEST_LINE)
    names: list[str] = []
    blank = 0
    with _open(path) as file:
        lines = (line for _, line in _decoded(path, file))
        start, delimiter, skips = _csv_form(lines)
        reader = csv.reader(chain(start, lines), strict=True, delimiter=delimiter, skipinitialspace=skips)
        try:
            for fields in reader:
                where = f"{path}:{reader.line_num}"
                if not fields:
                    blank += 1
                elif not names:
                    names = [name.strip() for name in fields]
                    check_names(where, names)
                elif len(fields) > len(names):
                    raise PotstillError(
                        f"{where}: more fields than the header has; quote texts with {delimiter!r} in them"
                    )
                else:
                    yield pick_columns(str(path), reader.line_num, dict(zip_longest(names, fields)), labelled)
        except csv.Error as error:
            raise PotstillError(f"{path}:{reader.line_num}: not CSV ({error}); check its quotes") from None
    _tell_of(path, blank)


def _csv_form(lines: Iterator[str]) -> tuple[list[str], str, bool]:
    """The lines up to the header, the sign that divides it, and whether spaces follow that sign, in the rows too."""
    start: list[str] = []
    for line in lines:
        start.append(line)
        if line.strip():
            delimiter = find_delimiter(line)
            return start, delimiter, f"{delimiter} " in line
    return start, ",", False


def _decode(path: Path, number: int, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise PotstillError(
            f"{path}:{number}: not UTF-8 (byte {raw[error.start]:#04x}); convert it: iconv -f ENCODING -t UTF-8"
        ) from None


def _read_jsonl(path: Path, labelled: bool) -> Iterator[Row]:
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # not JSON; a number or a nesting beyond Python's limits
            raise PotstillError(
                f"{where}: not JSON ({reason(error).partition(': line 1 ')[0]}); one object a line"
            ) from None
        if not isinstance(record, dict):
            raise PotstillError(f"{where}: not a JSON object; a line is like {{'text': ..., 'label': ...}}")
        yield pick_columns(str(path), number, record, labelled)


def _read_parquet(path: Path, labelled: bool) -> Iterator[Row]:
    require("train", "pyarrow")
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with reading(path), pyarrow.parquet.ParquetFile(rereadable(path)) as file:
            names = file.schema_arrow.names
            check_names(str(path), names)
            pick_columns(str(path), 1, dict.fromkeys(names), labelled)
            # Only these columns: others may hold what Python cannot, such as a date after the year 9999.
            for batch in file.iter_batches(columns=[name for name in COLUMNS if name in names]):
                for record in batch.to_pylist():
                    number += 1
                    yield pick_columns(str(path), number, record, labelled)
    except (
        pyarrow.ArrowException,
        OSError,
        ValueError,
        OverflowError,
    ) as error:  # damaged pages, text that is not UTF-8
        check_readable(rereadable(path))
        raise PotstillError(
            f"{path}: not a Parquet file, cut short or damaged ({reason(error)}); make it again"
        ) from None


def pick_columns(source: str, line: int, record: dict[str, object], labelled: bool = True) -> Row:
    """Find text, pair and label among a record's columns.

    :param labelled: whether there must be a label.
    :raises PotstillError: listing the columns there are, when text or label is not among them.
    """
    text = next((name for name in TEXT_COLUMNS if name in record), None)
    if text is None or (labelled and LABEL_COLUMN not in record):
        missing = "label" if text else "text"
        raise PotstillError(
            f"{source}:{line}: no column '{missing}'; it has {shown(', '.join(map(str, record))) or 'none'}: rename one"
        )
    pair = next((name for name in PAIR_COLUMNS if name in record), None)
    return Row(source, line, record[text], record.get(LABEL_COLUMN), record[pair] if pair else None)


Reader = Callable[[Path, bool], Iterator[Row]]
"""From a file, and whether its texts must have labels, to its records."""

READERS: dict[str, Reader] = {
    ".txt": _read_tsv,
    ".tsv": _read_tsv,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
