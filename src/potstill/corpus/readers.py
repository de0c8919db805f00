"""From a file to its raw records: TSV, CSV, JSONL and Parquet. Knows nothing of what a good text or label is."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from potstill.corpus.column_guesses import SAMPLE_ROWS, some_of
from potstill.corpus.columns import BY_NAME, Columns, Found, find_columns, find_delimiter, is_header
from potstill.corpus.lines import GZIP, LONGEST_LINE, decoded, open_lines, read_lines, tell_of_blank
from potstill.errors import PotstillError, reason, require, shown
from potstill.files import check_input, check_readable, is_stream, reading, rereadable

_FASTTEXT = "__label__"  # before each label in fastText's files
_MOST_FORMS = 1_000  # objects of other names than those before that are remembered
_IS_CHOSEN = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


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


class Record(NamedTuple):
    """One record of a file that has columns.

    :param line: or row, from 1.
    :param found: which of its columns are read.
    :param values: by column.
    """

    line: int
    found: Found
    values: dict[str, Any]


def ending(path: Path) -> str:
    """A file's ending as :data:`READERS` has it; ``.gz`` behind one of text says only that it is compressed."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    is_packed = len(suffixes) == 2 and suffixes[1] == GZIP and suffixes[0] != ".parquet"
    return suffixes[0] if is_packed else path.suffix.lower()


def has_columns(path: Path) -> bool:
    """Whether a file is of a form that has columns."""
    return ending(path) in TABLES


def of_form(path: Path, columns: Columns) -> Columns:
    """The columns that a file is read by, where several files are read and not all of them have columns."""
    return columns if has_columns(path) else Columns()


def find_reader(path: Path) -> "Reader":
    """What reads a file's form.

    :raises PotstillError: when nothing does, or there is nothing to read.
    """
    reader = READERS.get(ending(path))
    if reader is None and not path.suffix and is_stream(path):
        reader = _read_tsv  # /dev/stdin and <(...) have no ending
    if reader is None:
        raise PotstillError(
            f"{path}: unknown file ending; use one of {', '.join(sorted(READERS))}; text may be compressed ({GZIP})"
        )
    check_input(path)
    return reader


def read_pair_rows(path: Path, columns: Columns) -> Iterator[Row]:
    """The records of a file of pairs without labels: as :func:`find_reader` has it, and a line of ``.txt`` and ``.tsv``
    is ``text<TAB>text``.

    :raises PotstillError: naming file and line, for anything that is not such a file.
    """
    reader = find_reader(path)
    if reader is not _read_tsv:
        yield from reader(path, columns, False)
        return
    columns.refuse(path)
    for number, _, fields in _lines_of_fields(path, labelled=False):
        if len(fields) != 2:
            raise PotstillError(f"{path}:{number}: {len(fields)} fields; a pair without label is text<TAB>text")
        yield Row(str(path), number, fields[0], None, fields[1])


def _lines_of_fields(path: Path, *, labelled: bool) -> Iterator[tuple[int, str, list[str]]]:
    """The number of each line of a file without header, the line, and its fields."""
    is_first = True
    for number, line in read_lines(path):
        fields = line.split("\t")
        if is_first and is_header(fields, labelled=labelled):
            raise PotstillError(
                f"{path}:{number}: names of columns ({shown(', '.join(fields))}), not a text; .txt and .tsv have no "
                f"header: remove the line: sed -i {number}d FILE"
            )
        is_first = False
        yield number, line, fields


def _read_tsv(path: Path, columns: Columns, labelled: bool) -> Iterator[Row]:
    columns.refuse(path)
    for number, line, fields in _lines_of_fields(path, labelled=True):
        where = f"{path}:{number}"
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


def read_table(path: Path, columns: Columns, labelled: bool) -> Iterator[Record]:
    """The records of a file that has columns, one after another.

    :param labelled: whether there must be a column of labels.
    :raises PotstillError: naming file and line, for anything that is not such a file.
    """
    check_input(path)
    return TABLES[ending(path)](path, columns, labelled)


def column_names(path: Path, columns: Columns = BY_NAME) -> list[str]:
    """The names of a file's columns; of JSONL, of its first object.

    :raises PotstillError: as :func:`read_table`, when there are no texts either.
    """
    if ending(path) != ".parquet":
        return list(next((record.values for record in read_table(path, columns, False)), ()))
    with _open_parquet(path) as file:
        return list(file.schema_arrow.names)


def _read_csv(path: Path, columns: Columns, labelled: bool) -> Iterator[Record]:
    # csv's own limit is 131,072 characters a field.
    csv.field_size_limit(LONGEST_LINE)
    names: list[str] = []
    found = None
    blank = 0
    with open_lines(path) as file:
        lines = (line for _, line in decoded(path, file))
        start, delimiter, skips = _csv_form(lines, columns)
        reader = csv.reader(chain(start, lines), strict=True, delimiter=delimiter, skipinitialspace=skips)

        def sample() -> list[dict[str, Any]]:
            records = (dict(zip(names, fields, strict=False)) for fields in reader)
            return some_of(records, (csv.Error, PotstillError))

        try:
            for fields in reader:
                if not fields or (found is None and not any(map(str.strip, fields))):
                    blank += 1
                elif found is None:
                    names = [name.strip() for name in fields]
                    found = find_columns(f"{path}:{len(start)}", names, columns, labelled=labelled, sample=sample)
                elif len(fields) > len(names):
                    raise PotstillError(
                        f"{path}:{reader.line_num}: more fields than the header has; "
                        f"quote texts with {delimiter!r} in them"
                    )
                else:
                    yield Record(reader.line_num, found, dict(zip_longest(names, fields)))
        except csv.Error as error:
            raise PotstillError(f"{path}:{reader.line_num}: not CSV ({error}); check its quotes") from None
    tell_of_blank(path, blank)


def _csv_form(lines: Iterator[str], columns: Columns) -> tuple[list[str], str, bool]:
    """The lines up to the header, the sign that divides it, and whether spaces follow that sign, in the rows too."""
    start: list[str] = []
    for line in lines:
        start.append(line)
        if line.strip():
            delimiter = find_delimiter(line, columns.all_named)
            return start, delimiter, f"{delimiter} " in line
    return start, ",", False


def _read_jsonl(path: Path, columns: Columns, labelled: bool) -> Iterator[Record]:
    forms: dict[tuple[str, ...], Found] = {}  # by an object's names, as each may have others
    objects = _json_objects(path)
    for number, line, values in objects:
        names, where = tuple(values), f"{path}:{number}"
        if names not in forms:
            if len(forms) == _MOST_FORMS:
                forms.clear()
            sample = partial(_some_objects, values, objects)
            forms[names] = find_columns(where, names, columns, labelled=labelled, sample=sample)
        found = forms[names]
        # Of a name that an object has twice, Python's reader keeps the last value.
        if any(line.count(f'"{name}"') > 1 for name in found.names):
            found.check_once(where, [name for name, _ in json.loads(line, object_pairs_hook=list)])
        yield Record(number, found, values)


def _some_objects(first: dict[str, Any], others: Iterator[tuple[int, str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return some_of(chain([first], (values for _, _, values in others)), (PotstillError,))


def _json_objects(path: Path) -> Iterator[tuple[int, str, dict[str, Any]]]:
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
        yield number, line, record


def _read_parquet(path: Path, columns: Columns, labelled: bool) -> Iterator[Record]:
    number = 0
    with _open_parquet(path) as file:
        found = find_parquet_columns(str(path), file, columns, labelled=labelled)
        # Only these columns: others may hold what Python cannot, such as a date after the year 9999.
        for batch in file.iter_batches(columns=found.names):
            for values in batch.select(found.names).to_pylist():
                number += 1
                yield Record(number, found, values)


@contextmanager
def _open_parquet(path: Path) -> Iterator[Any]:
    require("train", "pyarrow")
    import pyarrow
    import pyarrow.parquet

    try:
        with reading(path), pyarrow.parquet.ParquetFile(rereadable(path)) as file:
            yield file
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


def find_parquet_columns(where: str, file: Any, columns: Columns, *, labelled: bool) -> Found:
    """Find the columns of an open Parquet file; see :func:`~potstill.corpus.columns.find_columns`."""
    from pyarrow import types

    def sample() -> list[dict[str, Any]]:
        plain = (types.is_string, types.is_large_string, types.is_integer, types.is_boolean)
        names = [each.name for each in file.schema_arrow if any(is_kind(each.type) for is_kind in plain)]
        batch = next(file.iter_batches(SAMPLE_ROWS, columns=names), None) if names else None
        return [] if batch is None else batch.to_pylist()

    return find_columns(where, file.schema_arrow.names, columns, labelled=labelled, sample=sample)


def _read_rows(path: Path, columns: Columns, labelled: bool) -> Iterator[Row]:
    return (as_row(str(path), record) for record in read_table(path, columns, labelled))


def as_row(source: str, record: Record) -> Row:
    """A record's text, pair and label.

    :raises PotstillError: when a column of a label has neither 1 nor 0.
    """
    line, found, values = record
    labels: object = values[found.labels[0]] if len(found.labels) == 1 else None
    if len(found.labels) > 1:
        labels = _chosen_labels(f"{source}:{line}", found.labels, values)
    return Row(source, line, values[found.text], labels, values[found.pair] if found.pair else None)


def _chosen_labels(where: str, columns: Sequence[str], values: dict[str, Any]) -> list[str]:
    """The names of the columns that have a 1."""
    chosen = []
    for column in columns:
        is_chosen = _IS_CHOSEN.get(str(values[column]).strip().lower())
        if is_chosen is None:
            raise PotstillError(
                f"{where}: '{shown(values[column])}' in column '{shown(column)}'; a column of a label has 1 or 0"
            )
        chosen += [column] if is_chosen else []
    return chosen


TableReader = Callable[[Path, Columns, bool], Iterator[Record]]
"""From a file, the columns that the user names, and whether there must be labels, to its records."""

TABLES: dict[str, TableReader] = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}

Reader = Callable[[Path, Columns, bool], Iterator[Row]]
"""The same, to the text, pair and label of each record."""

READERS: dict[str, Reader] = {
    ".txt": _read_tsv,
    ".tsv": _read_tsv,
    ".csv": _read_rows,
    ".jsonl": _read_rows,
    ".parquet": _read_rows,
}
