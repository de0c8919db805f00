"""Predict: the label of each line of a file or a pipe of any length."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import tyro

from potstill.corpus.columns import TextColumn
from potstill.corpus.examples import check_text, read_rows
from potstill.corpus.lines import open_packed
from potstill.corpus.readers import Row, has_columns
from potstill.errors import PotstillError
from potstill.files import check_input, reading
from potstill.outputs import STANDARD, check_apart, is_standard_output, text_output
from potstill.progress import Progress, silent
from potstill.runtime.classifier import Classifier, load
from potstill.runtime.threads import asked_threads

_LINES = 1024  # in memory at once
_SHOWN = 5  # bad lines that the error lists


@dataclass(frozen=True)
class PredictOptions:
    """Label each line of a file or of standard input."""

    student: Annotated[Path, tyro.conf.Positional]
    """A student's folder, or that of an exported teacher."""
    input: Path = STANDARD
    """Texts, one a line, in UTF-8, or in a column of a .csv, .jsonl or .parquet file; -: standard input."""
    columns: Annotated[TextColumn, tyro.conf.arg(name="")] = field(default_factory=TextColumn)
    output: Path = STANDARD
    """A label for each line, in the same order; -: standard output."""
    proba: bool = False
    """After the label the probability of each label too, divided by tabs, in the order of the model's labels."""


@dataclass(frozen=True)
class Predicted:
    """The labels of a file.

    :param output: where they are, ``-`` for standard output.
    """

    output: Path
    n_lines: int
    labels: list[str]

    def __str__(self) -> str:
        if is_standard_output(self.output):
            return ""  # standard output holds the labels and nothing else
        return f"{self.output}: {self.n_lines} lines labelled with {', '.join(self.labels)}"


@dataclass
class _Lines:
    """A file's lines as texts; a line without a text becomes None, and is listed in the error."""

    name: str
    n_lines: int = 0
    bad: list[str] = field(default_factory=list)
    n_bad: int = 0

    def read(self, file: Iterable[bytes]) -> Iterator[str | None]:
        for raw in file:
            self.n_lines += 1
            try:
                text = raw.decode("utf-8-sig" if self.n_lines == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                self._refuse("not UTF-8")
                yield None
                continue
            if not text.strip():
                self._refuse("no text")
            yield text if text.strip() else None

    def read_table(self, rows: Iterable[Row]) -> Iterator[str | None]:
        """The texts of a file that has them in a column: a row is a line."""
        for row in rows:
            self.n_lines += 1
            try:
                yield check_text(row)
            except PotstillError as error:
                self._note(str(error))
                yield None

    def _refuse(self, reason: str) -> None:
        self.refuse(self.n_lines, reason)

    def refuse(self, line: int, reason: str) -> None:
        """Note a line without a label; lines count from 1."""
        self._note(f"{self.name}:{line}: {reason}")

    def _note(self, complaint: str) -> None:
        self.n_bad += 1
        if self.n_bad <= _SHOWN:
            self.bad.append(complaint)

    def check(self) -> None:
        if self.n_bad:
            more = ", ..." if self.n_bad > _SHOWN else ""
            raise PotstillError(
                f"{self.n_bad} of {self.n_lines} lines got an empty line instead of a label "
                f"({', '.join(self.bad)}{more}); fix them and run this again"
            )


def predict(options: PredictOptions, progress: Progress = silent) -> Predicted:
    """Write a line for each line of the input.

    :raises PotstillError: at the end, when lines had no text; their lines of the output are empty.
    """
    if options.input != STANDARD:
        check_input(options.input)
        check_apart(options.output, [options.input])
    if not has_columns(options.input):
        options.columns.refuse("standard input" if options.input == STANDARD else options.input)
    classifier = load(options.student, asked_threads())
    lines = _Lines("standard input" if options.input == STANDARD else str(options.input))
    texts_to_come = lines.read(_raw_lines(options.input))
    if has_columns(options.input):
        texts_to_come = lines.read_table(read_rows(options.input, options.columns.of_texts))
    with text_output(options.output) as out, progress("predicting", 0) as bar:
        while texts := list(islice(texts_to_come, _LINES)):
            out.writelines(f"{row}\n" for row in _label(classifier, texts, options.proba, lines))
            out.flush()
            bar.update(len(texts))
    lines.check()
    return Predicted(options.output, lines.n_lines, classifier.classes_.tolist())


def _label(classifier: Classifier, texts: list[str | None], proba: bool, lines: _Lines) -> list[str]:
    """The lines of the output for the texts that were read last; empty for one that the model cannot take."""
    try:
        return _rows(classifier, texts, proba)
    except PotstillError:  # of one text, such as one that is too large: the others have a label
        rows = []
        for line, text in enumerate(texts, lines.n_lines - len(texts) + 1):
            try:
                rows += _rows(classifier, [text], proba)
            except PotstillError as error:
                lines.refuse(line, str(error))
                rows.append("")
        return rows


def _rows(classifier: Classifier, texts: list[str | None], proba: bool) -> list[str]:
    """The lines of the output, one for each text; empty for None."""
    valid = [text for text in texts if text is not None]
    if proba:
        probabilities = classifier.predict_proba(valid)
        labels = classifier.classes_[classifier.task.decide_from_probabilities(probabilities)]
        rows = [
            "\t".join([label, *(f"{value:.4f}" for value in values)])
            for label, values in zip(labels, probabilities, strict=True)
        ]
    else:
        rows = classifier.predict(valid).tolist()
    next_rows = iter(rows)
    return ["" if text is None else next(next_rows) for text in texts]


def _raw_lines(path: Path) -> Iterator[bytes]:
    if path == STANDARD:
        if sys.stdin is None:
            raise PotstillError("standard input is closed: pipe texts into it, or give --input FILE")
        with reading(Path("standard input")):
            yield from sys.stdin.buffer
        return
    with reading(path), open_packed(path, path) as file:
        yield from file
