"""A teacher's answers that are there already, in columns: probabilities or labels, as logits for students to learn."""

import shlex
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.columns import LABEL_COLUMN, Columns, DistillColumns
from potstill.corpus.examples import check_pair, check_row, check_text
from potstill.corpus.readers import Record, Row, column_names, ending, read_table
from potstill.corpus.streams import PART_ROWS, in_parts
from potstill.corpus.texts import Text
from potstill.errors import PotstillError, shown

SMOOTHING = 0.1  # of a label that has no probability: this share is spread over all labels
_FLOOR = 1e-6  # of a probability, as zero has no logarithm
_SLACK = 1e-3  # by which the probabilities of a text may miss one: they may have been rounded
_ROUNDING = 1e-6  # by which one may be outside 0 and 1: softmax in 32 bits gives 1.0000001


@dataclass(frozen=True)
class Answers:
    """What the columns of a file say of its texts.

    :param labels: of the data, in id order: what a logit is of.
    :param takes_several: whether a text may have several labels: probabilities do not add up to one then.
    """

    columns: DistillColumns
    labels: Sequence[str]
    takes_several: bool = False

    def parts(self, path: Path) -> Iterator[tuple[list[Text], NDArray[np.float32]]]:
        """The texts, or pairs of texts, of a file and their logits, float32 ``[n_texts, n_labels]``, in parts of
        :data:`~potstill.corpus.streams.PART_ROWS`.

        :raises PotstillError: naming file and line, for an answer that is none.
        """
        columns, to_logits = self._form(path)
        for records in in_parts(read_table(path, columns, True), PART_ROWS):
            yield [_text(path, record) for record in records], to_logits(path, records)

    def _form(self, path: Path) -> "tuple[Columns, Form]":
        """The columns to read, and what makes logits of them."""
        given, columns = self.columns, DistillColumns(self.columns.text_column, self.columns.text_pair_column)
        if given.probability_column:
            if ending(path) == ".csv":
                raise PotstillError(
                    f"{path}: .csv has no lists, but --probability_column names one: give a column for each label with "
                    f"--label_columns"
                )
            return replace(columns, probability_column=given.probability_column), self._from_lists
        if given.label_columns:
            self._check_labels(path)
            return replace(columns, label_columns=given.label_columns), self._from_columns
        if given.label_column and self.takes_several:
            raise PotstillError(
                f"{path}: --label_column: a text of the data may have several labels: give the probability of "
                f"each, with --label_columns or --probability_column"
            )
        if given.label_column:
            return replace(columns, label_column=given.label_column), self._from_labels
        raise self._which_columns(path)

    def _which_columns(self, path: Path) -> PotstillError:
        """The error where no column of answers is named: gold labels must not be taken for a teacher's by chance."""
        names = column_names(path, self.columns.of_texts)
        if set(self.labels) <= set(names):
            options = f"--label_columns {shlex.join(self.labels)}"
        elif LABEL_COLUMN in names:
            options = f"--label_column {LABEL_COLUMN}"
        else:
            options = "--label_columns, --probability_column or --label_column"
        return PotstillError(
            f"{path}: no logits, and no column of answers is named; it has {shown(', '.join(names))}: give {options}"
        )

    @cached_property
    def _columns_by_label(self) -> dict[str, str]:
        return {unicodedata.normalize("NFC", name): name for name in self.columns.label_columns}

    def _check_labels(self, path: Path) -> None:
        named = self._columns_by_label
        for label in named:
            if label not in self.labels:
                raise PotstillError(
                    f"{path}: --label_columns names '{shown(label)}', which is no label of the data "
                    f"(it has {shown(', '.join(self.labels))}): rename the column, or leave it out"
                )
        for label in self.labels:
            if label not in named:
                raise PotstillError(
                    f"{path}: no column for the data's label '{shown(label)}': name one of its probabilities in "
                    f"--label_columns"
                )

    def _from_columns(self, path: Path, records: Sequence[Record]) -> NDArray[np.float32]:
        columns = [self._columns_by_label[label] for label in self.labels]
        return self._as_logits(path, records, [[record.values[column] for column in columns] for record in records])

    def _from_lists(self, path: Path, records: Sequence[Record]) -> NDArray[np.float32]:
        lists = [record.values[record.found.labels[0]] for record in records]
        for record, numbers in zip(records, lists, strict=True):
            if not isinstance(numbers, list) or len(numbers) != len(self.labels):
                found = f"a list of {len(numbers)}" if isinstance(numbers, list) else f"'{shown(numbers, 60)}'"
                raise PotstillError(
                    f"{path}:{record.line}: {found}, not a list of {len(self.labels)} probabilities, one for each of "
                    f"{shown(', '.join(self.labels))}"
                )
        return self._as_logits(path, records, lists)

    def _as_logits(
        self, path: Path, records: Sequence[Record], rows: Sequence[Sequence[object]]
    ) -> NDArray[np.float32]:
        return _as_logits(path, records, rows, add_up=not self.takes_several)

    def _from_labels(self, path: Path, records: Sequence[Record]) -> NDArray[np.float32]:
        ids = {label: number for number, label in enumerate(self.labels)}
        smoothed = np.full((len(self.labels),) * 2, SMOOTHING / len(self.labels))
        logits = np.log(smoothed + (1 - SMOOTHING) * np.eye(len(self.labels))).astype(np.float32)
        rows = []
        for record in records:
            label = check_row(Row(str(path), record.line, "-", record.values[record.found.labels[0]])).label
            if label not in ids:
                raise PotstillError(
                    f"{path}:{record.line}: the data has no label '{shown(label)}' (it has "
                    f"{shown(', '.join(self.labels))}): correct it, or remove the row"
                )
            rows.append(ids[label])
        chosen: NDArray[np.float32] = logits[rows]
        return chosen


Form = Callable[[Path, Sequence[Record]], NDArray[np.float32]]
"""From a file and some of its records to their logits."""


def _text(path: Path, record: Record) -> Text:
    """The text of a record, or the two of a file that has pairs."""
    found = record.found
    pair = record.values[found.pair] if found.pair else None
    row = Row(str(path), record.line, record.values[found.text], None, pair)
    return check_pair(row) if found.pair else check_text(row)


def _as_numbers(rows: Sequence[object]) -> NDArray[np.float64] | None:
    """Rows as an array; None where one is not of numbers, or of others than the first."""
    try:
        table = np.array(rows, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    return table if table.ndim == 2 else None


def _as_logits(
    path: Path, records: Sequence[Record], rows: Sequence[Sequence[object]], *, add_up: bool
) -> NDArray[np.float32]:
    """Probabilities as logits: their logarithms, or where each label has its own, those of the odds.

    :param rows: one a record, ``[n_labels]`` each.
    :param add_up: whether those of a text are to add up to one.
    """
    table = _as_numbers(rows)
    if table is None:
        first = next(number for number, row in enumerate(rows) if _as_numbers([row]) is None)
        raise PotstillError(
            f"{path}:{records[first].line}: {shown(rows[first])} are not numbers: give each label a probability"
        )
    are_shares = np.all((table >= -_ROUNDING) & (table <= 1 + _ROUNDING), axis=1)  # False for NaN too
    sums = table.sum(axis=1)
    are_good = are_shares & (np.abs(sums - 1) <= _SLACK) if add_up else are_shares
    if not are_good.all():
        first = int(np.argmin(are_good))
        told = f"the probabilities add up to {sums[first]:.4g}, not to 1: scale them"
        if not are_shares[first]:
            told = f"{shown(table[first].tolist())}: a probability is a number from 0 to 1: correct it"
        raise PotstillError(f"{path}:{records[first].line}: {told}, or remove the row")
    if not add_up:
        clipped = np.clip(table, _FLOOR, 1 - _FLOOR)
        odds: NDArray[np.float32] = np.log(clipped / (1 - clipped)).astype(np.float32)
        return odds
    floored = np.maximum(table, _FLOOR)
    logits: NDArray[np.float32] = np.log(floored / floored.sum(axis=1, keepdims=True)).astype(np.float32)
    return logits
