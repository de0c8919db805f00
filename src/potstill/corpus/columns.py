"""Columns of labelled text: the names that are known, those that the user gives, and which of a file's are read."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from potstill.corpus.column_guesses import LABEL_NAMES, TEXT_NAMES, likeliest_options
from potstill.errors import PotstillError, shown

TEXT_COLUMNS = ("text", "sentence", "sentence1", "text_a")
PAIR_COLUMNS = ("text_pair", "sentence2", "text_b")
LABEL_COLUMN = "label"
LABELS_COLUMN = "labels"  # of lists of labels

_SEPARATOR = "label_separator"  # the one option here that names no column
_DELIMITERS = ",;\t|"
_TEXT_NAMES = TEXT_NAMES | {*TEXT_COLUMNS, *PAIR_COLUMNS}
_LABEL_NAMES = LABEL_NAMES | {LABEL_COLUMN}

Sample = Callable[[], Iterable[dict[str, Any]]]
"""Gives some of a file's records, to guess from."""


@dataclass(frozen=True)
class TextColumn:
    """The column of texts without labels."""

    text_column: str = ""
    """The column that has the texts, in .csv, .jsonl and .parquet files and data sets of the hub. Default: text,
    sentence, sentence1 or text_a."""

    @property
    def named(self) -> dict[str, Any]:
        """What the user has named, by option."""
        return {name: value for name, value in asdict(self).items() if value and name != _SEPARATOR}

    @property
    def as_inputs(self) -> dict[str, Any]:
        """What a stage depends on that reads files by these columns, in JSON form; nothing by default."""
        given = {name: list(_listed(value)) for name, value in asdict(self).items() if value}
        return {"columns": given} if given else {}

    def refuse(self, path: object) -> None:
        """Check that nothing is named.

        :param path: of a file without columns.
        :raises PotstillError: when something is.
        """
        for option in self.named:
            raise PotstillError(
                f"{path}: has no columns, but --{option} names one: leave it out, or give .csv, .jsonl or .parquet"
            )

    @property
    def all_named(self) -> list[str]:
        """The names that the user gives."""
        return [name for value in self.named.values() for name in _listed(value)]

    @property
    def of_texts(self) -> "Columns":
        """The columns of texts without labels."""
        return Columns(text_column=self.text_column)


@dataclass(frozen=True)
class TextColumns(TextColumn):
    """The columns of texts or pairs without labels."""

    text_pair_column: str = ""
    """The column that has the second text of a pair. Default: text_pair, sentence2 or text_b; none where --text_column
    is given."""

    def __post_init__(self) -> None:
        self.check_distinct()

    @property
    def of_texts(self) -> "Columns":
        """The same, with that of the second texts of pairs."""
        return Columns(text_column=self.text_column, text_pair_column=self.text_pair_column)

    def check_distinct(self) -> None:
        """Check that each column is named once.

        :raises PotstillError: when one is not.
        """
        for name, n in Counter(self.all_named).items():
            if n > 1:
                options = " and ".join(f"--{option}" for option, value in self.named.items() if name in _listed(value))
                raise PotstillError(f"{options}: '{shown(name)}' is named {n} times: a column has one use")


@dataclass(frozen=True)
class Columns(TextColumns):
    """The columns of labelled text."""

    label_column: str = ""
    """The column that has the labels, or lists of labels. Default: label or labels."""
    label_columns: tuple[str, ...] = ()
    """Or a column for each label, 1 for a label of the text and 0 for the others. The labels are the names of the
    columns. Where a row has several or none, a text may have several labels."""
    label_separator: str = ""
    """What divides the labels of a text, where it may have several in one field, such as a comma; an empty field is no
    label. (A column of lists, in .jsonl and .parquet, needs no separator.)"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_column and self.label_columns:
            raise PotstillError("--label_column and --label_columns: give one of them")

    def labels_in(self, names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """The columns of labels in a file, and the option that names them: ``""`` where none does.

        Where both options are given, one column of labels comes first; see :meth:`DistillColumns.of_data`.

        :param names: the file's columns.
        """
        if self.label_columns and self.label_column not in names:
            return "label_columns", self.label_columns
        if self.label_column:
            return "label_column", (self.label_column,)
        return "", next(((name,) for name in (LABEL_COLUMN, LABELS_COLUMN) if name in names), ())

    def check_distinct(self) -> None:
        """Check that each column is named once.

        :raises PotstillError: when one is not, or there is only one column for the labels.
        """
        super().check_distinct()
        if "" in self.label_columns or len(self.label_columns) == 1:
            raise PotstillError("--label_columns: give two names or more; one column of labels is --label_column")


BY_NAME = Columns()
"""No name is given: columns are found by the names that are known."""


@dataclass(frozen=True)
class DistillColumns(Columns):
    """The columns of all that ``potstill distill`` reads: a transfer set's too."""

    probability_column: str = ""
    """A transfer set's column of lists: the probability of each label, in the order of the data's labels."""

    def __post_init__(self) -> None:
        self.check_distinct()

    def labels_in(self, names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """The same; with the column of probabilities before all others."""
        given = self.probability_column
        return ("probability_column", (given,)) if given else super().labels_in(names)

    def check_for(self, *, has_transfer: bool) -> None:
        """Check that no column is named in vain.

        :param has_transfer: whether there is a labelled set beside the data.
        :raises PotstillError: when one is.
        """
        if self.probability_column and self.label_columns:
            raise PotstillError("--probability_column and --label_columns: give one of them")
        if self.probability_column and not has_transfer:
            raise PotstillError("--probability_column is a column of a transfer set: give --transfer too")
        if self.label_column and self.label_columns and not has_transfer:
            raise PotstillError("--label_column and --label_columns: give one of them")

    def of_data(self, *, has_transfer: bool) -> Columns:
        """The columns of the data. Beside a transfer set ``label_columns`` are that set's: the data has a column of
        labels then, or else the same ones.
        """
        given = replace(self, probability_column="")
        if has_transfer and self.label_columns:
            return replace(given, label_columns=()) if self.label_column else replace(given, label_column=LABEL_COLUMN)
        return given


@dataclass(frozen=True)
class Found:
    """The columns of one file that are read.

    :param pair: of the second text of a pair; ``""`` where texts are single.
    :param labels: one column of labels, or one a label; none where labels are not read.
    """

    text: str
    pair: str
    labels: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [name for name in (self.text, self.pair, *self.labels) if name]

    def check_once(self, where: str, names: Sequence[str]) -> None:
        """Check that each column is there once, and has one use.

        :param names: all columns that there are.
        :raises PotstillError: when one is not: only one of two would be read.
        """
        for name, n_uses in Counter(self.names).items():
            if n_uses > 1:
                raise PotstillError(
                    f"{where}: column '{shown(name)}' would be text and label in one: name the other one too, "
                    f"--text_column or --label_column"
                )
            if list(names).count(name) > 1:
                raise PotstillError(f"{where}: two columns '{shown(name)}'; rename or remove one")


def find_columns(where: str, names: Sequence[str], columns: Columns, *, labelled: bool, sample: Sample) -> Found:
    """Find text, pair and label among a file's columns.

    :param where: what to name in an error: the file, with a line if there is one.
    :param columns: those that the user names; the others are found by the names that are known.
    :param labelled: whether there must be a label.
    :param sample: records to guess from, where a column is not found.
    :raises PotstillError: when one is missing, or there twice.
    """
    text = columns.text_column or next((name for name in TEXT_COLUMNS if name in names), "")
    pair = columns.text_pair_column
    if not pair and not columns.text_column:
        pair = next((name for name in PAIR_COLUMNS if name in names), "")
    label_option, labels = columns.labels_in(names) if labelled else ("", ())
    given = [("text_column", columns.text_column), ("text_pair_column", columns.text_pair_column)]
    given += [(label_option, label) for label in labels]
    for option, name in given:
        if name and name not in names:
            raise PotstillError(f"{where}: no column '{shown(name)}', which --{option} names; it has {_listing(names)}")
    if not text or (labelled and not labels):
        guess = likeliest_options(
            [name for name in names if name not in (text, pair, *labels)],
            list(sample()),
            needs_text=not text,
            needs_label=labelled and not labels,
        )
        raise PotstillError(f"{where}: no column '{'label' if text else 'text'}'; it has {_listing(names)}: {guess}")
    found = Found(text, pair, labels)
    found.check_once(where, names)
    return found


def _listed(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _listing(names: Sequence[str]) -> str:
    return shown(", ".join(map(str, names))) or "none"


def is_header(fields: Sequence[str], *, labelled: bool = True) -> bool:
    """Whether the fields of a file's first line are names of columns, not a text and its label.

    :param fields: of a line; one alone is a text without a label.
    :param labelled: whether the last of several is a label, and not the second text of a pair.
    """
    names = [field.strip().strip('"').lower() for field in fields]
    if len(names) == 1:
        return names[0] in TEXT_COLUMNS
    if not labelled:
        return all(name in _TEXT_NAMES for name in names)
    has_both = any(name in _TEXT_NAMES for name in names) and any(name in _LABEL_NAMES for name in names)
    return has_both and all(name in _TEXT_NAMES | _LABEL_NAMES for name in names)


def find_delimiter(header: str, given: Iterable[str] = ()) -> str:
    """The sign that divides a CSV header: the first that gives a known name; else the one that gives most columns.

    csv's own sniffer counts signs in whole rows, and takes those within texts for it.

    :param given: the names of columns that the user gives: they tell it first.
    """
    by_sign = {sign: _split_header(header, sign) for sign in _DELIMITERS}
    for known, least in ((set(given), 1), (set(TEXT_COLUMNS), 2)):
        for sign, names in by_sign.items():
            if len(names) >= least and not known.isdisjoint(names):
                return sign
    return max(by_sign, key=lambda sign: len(by_sign[sign]))


def _split_header(header: str, delimiter: str) -> list[str]:
    try:
        names = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # told with its line when the file is read
        return []
    return [name.strip() for name in names]
