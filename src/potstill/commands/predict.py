"""Predict: the label of each line of a file or a pipe of any length."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Annotated

import tyro

from potstill.corpus.columns import TextColumns
from potstill.corpus.examples import UNLABELLED, check_row, check_text, read_rows
from potstill.corpus.lines import open_packed
from potstill.corpus.readers import Row, has_columns
from potstill.corpus.texts import Text
from potstill.errors import PotstillError
from potstill.files import check_input, reading
from potstill.model_folder import ModelFolder
from potstill.outputs import STANDARD, check_apart, is_standard_output, text_output
from potstill.progress import Progress, silent
from potstill.runtime.classifier import Classifier, load
from potstill.runtime.threads import asked_threads
from potstill.tasks import NONE, Label, shown_label

_LINES = 1024  # in memory at once
_SHOWN = 5  # bad lines that the error lists


@dataclass(frozen=True)
class PredictOptions:
    """Label each line of a file or of standard input."""

    student: Annotated[Path, tyro.conf.Positional]
    """A student's folder, or that of an exported teacher."""
    input: Path = STANDARD
    """Texts, one a line, in UTF-8, or in a column of a .csv, .jsonl or .parquet file; for a student of pairs
    text<TAB>text, or in two columns; -: standard input."""
    columns: Annotated[TextColumns, tyro.conf.arg(name="")] = field(default_factory=TextColumns)
    output: Path = STANDARD
    """A label for each line, in the same order; several with commas between them; -: standard output."""
    proba: bool = False
    """After the label the probability of each label too, divided by tabs, in the order of the model's labels."""
    at_least: str = ""
    """Give no label below this probability, or the one that potstill threshold keeps under this name: the line is then
    (none)."""
    json: bool = False
    """A JSON object a line: label (null: none), or labels where a text may have several; with --proba the
    probabilities."""


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
    """A file's lines as texts; a line without a text becomes None, and is listed in the error.

    :param pairs: whether a line is a pair of texts.
    """

    name: str
    pairs: bool = False
    n_lines: int = 0
    bad: list[str] = field(default_factory=list)
    n_bad: int = 0

    def read(self, file: Iterable[bytes]) -> Iterator[Text | None]:
        for raw in file:
            self.n_lines += 1
            try:
                text = raw.decode("utf-8-sig" if self.n_lines == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                self._refuse("not UTF-8")
                yield None
                continue
            yield self._checked(text)

    def _checked(self, text: str) -> Text | None:
        """The text of a line, or the pair of texts that a tab divides."""
        parts = tuple(text.split("\t")) if self.pairs else (text,)
        if len(parts) != (2 if self.pairs else 1):
            self._refuse(f"{len(parts)} fields: a line is text<TAB>text")
        elif not all(part.strip() for part in parts):
            self._refuse("no text")
        else:
            return (parts[0], parts[1]) if self.pairs else text
        return None

    def read_table(self, rows: Iterable[Row]) -> Iterator[Text | None]:
        """The texts of a file that has them in a column: a row is a line."""
        for row in rows:
            self.n_lines += 1
            try:
                yield check_row(replace(row, label=UNLABELLED)).content if self.pairs else check_text(row)
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
    form = _Form(classifier, options)
    pairs = bool(ModelFolder.find(options.student).reads_pairs)
    lines = _Lines("standard input" if options.input == STANDARD else str(options.input), pairs)
    texts_to_come = lines.read(_raw_lines(options.input))
    if has_columns(options.input):
        texts_to_come = lines.read_table(read_rows(options.input, options.columns.of_texts))
    with text_output(options.output) as out, progress("predicting", 0) as bar:
        while texts := list(islice(texts_to_come, _LINES)):
            out.writelines(f"{row}\n" for row in _label(form, texts, lines))
            out.flush()
            bar.update(len(texts))
    lines.check()
    return Predicted(options.output, lines.n_lines, classifier.classes_.tolist())


def _label(form: "_Form", texts: list[Text | None], lines: _Lines) -> list[str]:
    """The lines of the output for the texts that were read last; empty for one that the model cannot take."""
    try:
        return form.rows(texts)
    except PotstillError:  # of one text, such as one that is too large: the others have a label
        rows = []
        for line, text in enumerate(texts, lines.n_lines - len(texts) + 1):
            try:
                rows += form.rows([text])
            except PotstillError as error:
                lines.refuse(line, str(error))
                rows.append("")
        return rows


class _Form:
    """How a classifier's answers are written.

    :raises PotstillError: when ``--at_least`` is no probability and no name that the model knows.
    """

    def __init__(self, classifier: Classifier, options: PredictOptions) -> None:
        self._classifier = classifier
        self._options = options
        self._at_least = classifier.find_threshold(options.at_least) if options.at_least else 0.0

    def rows(self, texts: list[Text | None]) -> list[str]:
        """The lines of the output, one for each text; empty for None."""
        valid = [text for text in texts if text is not None]
        model = self._classifier
        probabilities = model.predict_proba(valid)
        labels = model.task.answers(probabilities, model.classes_, self._at_least)
        write = self._as_json if self._options.json else self._as_line
        rows = iter([write(label, values) for label, values in zip(labels, probabilities.tolist(), strict=True)])
        return ["" if text is None else next(rows) for text in texts]

    def _as_line(self, label: Label | None, values: list[float]) -> str:
        shown = NONE if label is None else shown_label(label)
        return "\t".join([shown, *(f"{value:.4f}" for value in values)]) if self._options.proba else shown

    def _as_json(self, label: Label | None, values: list[float]) -> str:
        key = "labels" if self._classifier.task.takes_several else "label"
        fields: dict[str, object] = {key: label}
        if self._options.proba:
            named = zip(self._classifier.classes_.tolist(), values, strict=True)
            fields["probabilities"] = {name: round(value, 6) for name, value in named}
        return json.dumps(fields, ensure_ascii=False)


def _raw_lines(path: Path) -> Iterator[bytes]:
    if path == STANDARD:
        if sys.stdin is None:
            raise PotstillError("standard input is closed: pipe texts into it, or give --input FILE")
        with reading(Path("standard input")):
            yield from sys.stdin.buffer
        return
    with reading(path), open_packed(path, path) as file:
        yield from file
