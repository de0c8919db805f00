"""Labelled text in memory, and reading it from one file. Knows nothing of splits, models or vocabularies."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from potstill.corpus.columns import BY_NAME, Columns
from potstill.corpus.readers import Row, find_reader, of_form, read_pair_rows
from potstill.corpus.streams import in_parts
from potstill.corpus.texts import Text, has_half, on_one_line
from potstill.errors import PotstillError, shown
from potstill.tasks import Label

UNLABELLED = "dummy"  # the label of a text that has none, as in the recipe's augmented.raw


@dataclass(frozen=True)
class Example:
    """One text, or pair of texts, with its label and the line (or row) of its file, from 1."""

    text: str
    label: Label
    pair: str | None = None
    line: int = field(default=0, compare=False)

    @property
    def content(self) -> Text:
        """The text, or the pair of texts."""
        return self.text if self.pair is None else (self.text, self.pair)


def as_example(text: Text, label: Label) -> Example:
    """A text, or a pair of texts, with its label."""
    return Example(text, label) if isinstance(text, str) else Example(text[0], label, pair=text[1])


def read_examples(path: Path, columns: Columns = BY_NAME) -> list[Example]:
    """Read labelled text: TSV (``.txt``, ``.tsv``), CSV, JSONL or Parquet, by the file's ending.

    A TSV line is ``text<TAB>label`` or ``text_a<TAB>text_b<TAB>label``; the others have columns ``text``
    (or ``sentence``), ``label``, and ``text_pair`` for pairs. Labels are any strings. A byte-order mark
    and CRLF line ends are fine; blank lines are skipped and counted in the log.

    :param columns: those of other names.
    :raises PotstillError: naming file and line, for anything that is not such a file.
    """
    return [example for part in example_parts(path, columns) for example in part]


def example_parts(path: Path, columns: Columns = BY_NAME) -> Iterator[list[Example]]:
    """The same in parts of :data:`potstill.corpus.streams.PART_ROWS`, for files that may be larger than memory."""
    first: Example | None = None
    rows = find_reader(path)(path, columns, True)
    separator = columns.label_separator
    for part in in_parts(check_row(_divided(row, separator) if separator else row) for row in rows):
        first = first or part[0]
        other = next((each for each in part if (each.pair is None) != (first.pair is None)), None)
        if other:
            what = "pair where the others are single texts: take its second text out"
            if other.pair is None:
                what = "single text where the others are pairs: give it its second text"
            raise PotstillError(f"{path}:{other.line}: a {what}, or remove it")
        other = next((each for each in part if type(each.label) is not type(first.label)), None)
        if other:
            raise PotstillError(
                f"{path}:{other.line}: a list of labels in some rows and one label in others: give all rows lists"
            )
        yield part
    if first is None:
        raise PotstillError(f"{path}: no examples in it; it needs at least one labelled text")


def read_texts(path: Path, columns: Columns = BY_NAME) -> Iterator[str]:
    """Read texts without labels, one after another: in ``.txt`` and ``.tsv`` a line is a text; the other formats are
    those of :func:`read_examples`, with or without a label.

    :raises PotstillError: naming file and line, for anything that is not such a file.
    """
    n_texts = 0
    for row in read_rows(path, columns):
        n_texts += 1
        yield check_text(row)
    if not n_texts:
        raise PotstillError(f"{path}: no texts in it")


def read_pairs(path: Path, columns: Columns = BY_NAME) -> Iterator[Text]:
    """Read pairs of texts without labels, one after another: in ``.txt`` and ``.tsv`` a line is ``text<TAB>text``; the
    other formats are those of :func:`read_examples`, with or without a label.

    :raises PotstillError: naming file and line, for anything that is not such a file.
    """
    n_pairs = 0
    for row in read_pair_rows(path, columns):
        n_pairs += 1
        yield check_pair(row)
    if not n_pairs:
        raise PotstillError(f"{path}: no pairs of texts in it")


def read_all_texts(paths: Iterable[Path], columns: Columns = BY_NAME, *, paired: bool) -> Iterator[Text]:
    """The texts, or pairs of texts, of several files, with single spaces only.

    :param columns: of the files that have columns.
    """
    read = read_pairs if paired else read_texts
    for path in paths:
        yield from map(on_one_line, read(path, of_form(path, columns)))


def holds_pairs(path: Path, columns: Columns = BY_NAME) -> bool:
    """Whether the first record of a file without labels is a pair; a line of ``.txt`` and ``.tsv`` is one text."""
    return any(row.pair is not None for row in islice(read_rows(path, columns), 1))


def read_rows(path: Path, columns: Columns = BY_NAME) -> Iterator[Row]:
    """The raw records of a file, with or without labels; see :func:`read_texts`."""
    return find_reader(path)(path, columns, False)


def check_text(row: Row) -> str:
    """The text of a raw record.

    :raises PotstillError: naming its place, when it is missing, empty or a pair.
    """
    if row.pair is not None:
        raise PotstillError(f"{row.where}: a pair of texts, where single texts are read")
    return check_row(replace(row, label=UNLABELLED)).text


def check_pair(row: Row) -> Text:
    """The two texts of a raw record.

    :raises PotstillError: naming its place, when one is missing or empty.
    """
    if row.pair is None:
        raise PotstillError(f"{row.where}: no second text, where pairs of texts are read: give it one, or remove it")
    return check_row(replace(row, label=UNLABELLED)).content


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


def _divided(row: Row, separator: str) -> Row:
    """A record whose field of labels is divided into a list.

    :raises PotstillError: naming its place, for a label that is empty or there twice.
    """
    if isinstance(row.label, list):
        raise PotstillError(f"{row.where}: a list of labels needs no --label_separator: leave it out")
    written = "" if row.label is None else str(row.label)
    labels = [label.strip() for label in written.split(separator)] if written.strip() else []
    if "" in labels:
        raise PotstillError(f"{row.where}: an empty label in '{shown(written)}': take the '{separator}' out")
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise PotstillError(f"{row.where}: the label '{shown(twice)}' is there twice: remove one")
    return replace(row, label=labels)


def _check_label(row: Row) -> Label:
    """The label of a record; of a list of labels all of them."""
    if isinstance(row.label, list | tuple):
        return tuple(sorted({_check_one(row, label) for label in row.label}))
    return _check_one(row, row.label)


def _check_one(row: Row, label: object) -> str:
    """A label as a string, composed: one that looks the same is the same."""
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
