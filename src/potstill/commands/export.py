"""Export: a model's ONNX files, one a precision; an inexact one counts only if it keeps the accuracy on valid."""

import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from potstill.artifacts import (
    CONFIG,
    EXPORT_LOCK,
    ONNX_FILES,
    ONNX_MODEL,
    PLAN_WEIGHTS,
    PLANS,
    PRECISION,
    TOKENIZER,
    TOKENIZER_CONFIG,
    WEIGHTS,
    link_or_copy,
    write_json,
    writing,
)
from potstill.commands.web import WebFolder, check_web_student, write_web_folder
from potstill.corpus.columns import Columns
from potstill.corpus.examples import Example, read_examples
from potstill.corpus.labels import encode_labels, for_task
from potstill.corpus.splits import find_split
from potstill.errors import PotstillError, require
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.measuring import time_calls
from potstill.locks import locked
from potstill.manifests import replacing
from potstill.model_folder import ModelFolder
from potstill.progress import Progress, silent
from potstill.runtime.classifier import load
from potstill.tables import table

_AS_FAST = 1.1  # times the fastest's time: within the noise of the clock
_ROUNDS = 3  # in which the precisions are timed in turn


@dataclass(frozen=True)
class ExportOptions:
    """Write a model's ONNX files; in 8-bit integers too, if they keep the accuracy; and a page that runs a student."""

    model: Annotated[Path, tyro.conf.Positional]
    """A student's folder, a teacher's, or a run's, whose student/ is meant."""
    int8: bool = False
    """Write the file in 8-bit integers too: a quarter of the size, and faster."""
    check: Path | None = None
    """Data folder whose valid each precision is measured on; 8-bit ranges are found on its train. A run's student needs
    none: it is measured on the run's own data."""
    columns: Annotated[Columns, tyro.conf.arg(name="")] = field(default_factory=Columns)
    # Students over words lost at most 0.23 on SST-2 (two of the 872 texts of valid).
    max_drop: float = 0.3
    """Points of accuracy (of macro F1 where a text may have several labels) on valid that int8 may lose; a file that
    loses more is refused."""
    web: Path | None = None
    """Write a folder too that any static server serves: a page that runs the student in the browser, in 8-bit integers.
    --int8 is done first where it has not been."""

    def __post_init__(self) -> None:
        if not 0 <= self.max_drop <= 100:
            raise PotstillError(f"--max_drop={self.max_drop}: must be between 0 and 100, in points of accuracy")
        if self.columns.named and self.check is None:
            raise PotstillError(f"--{next(iter(self.columns.named))} names a column of the data: give --check too")


@dataclass(frozen=True)
class Precision:
    """What one precision costs and gives.

    :param figure: what is compared on valid: accuracy, or macro F1 where a text may have several labels.
    :param share: its value; ``agreement`` is the share of texts that have the labels of fp32.
    :param drop: points of it lost against fp32.
    :param p50_ms: median milliseconds a text, one at a time on one thread, raw text to label.
    :param megabytes: of the ONNX file, the tokenizer and the configuration.
    """

    figure: str
    share: float
    agreement: float
    drop: float
    p50_ms: float
    megabytes: float


@dataclass(frozen=True)
class Exported:
    """A model's ONNX files.

    :param folder: where they are.
    :param default: the precision that ``load`` takes from now on.
    :param n_valid: texts that were measured.
    :param precisions: by name; empty where nothing was measured.
    :param web: the folder of a page, if one was asked for.
    """

    folder: Path
    default: str
    n_valid: int
    precisions: dict[str, Precision]
    web: WebFolder | None = None

    def __str__(self) -> str:
        if self.web and not self.precisions:
            return str(self.web)
        return f"{self._figures()}\n\n{self.web}" if self.web else self._figures()

    def _figures(self) -> str:
        if not self.precisions:
            return f"{self.folder}: fp32 written; nothing was measured, as no --check was given"
        figure = next(iter(self.precisions.values())).figure
        rows = [
            (
                name,
                f"{100 * precision.share:.2f}",
                f"{precision.drop:+.2f}",
                f"{100 * precision.agreement:.2f}",
                f"{precision.p50_ms:.3f}",
                f"{precision.megabytes:.2f}",
            )
            for name, precision in self.precisions.items()
        ]
        lines = [
            table(("precision", figure, "lost", "as fp32", "p50 ms", "MB"), rows),
            "",
            f"{figure} on the {self.n_valid} texts of valid; ms a text on one thread, raw text to label",
            f"{self.folder}: potstill.load takes {self.default}",
        ]
        return "\n".join(lines)


def export(options: ExportOptions, progress: Progress = silent) -> Exported:
    """Write the ONNX files of a model's folder; nothing in it changes before all of them are good.

    :raises PotstillError: when int8 loses more than it may, or the folder or the data is not fit.
    """
    folder, data = _find(options)
    if options.web is None:
        return _export(options, folder, data, progress)
    check_web_student(folder)
    if options.int8 or not ModelFolder(folder).core_files("int8"):
        exported = _export(replace(options, int8=True), folder, data, progress)
    else:
        exported = Exported(folder, ModelFolder(folder).default_precision, 0, {})
    return replace(exported, web=write_web_folder(folder, options.web))


def _export(options: ExportOptions, folder: Path, data: Path | None, progress: Progress) -> Exported:
    require("train", "torch", "transformers", "onnx", "onnxscript")
    if options.int8 and data is None:
        raise PotstillError("--int8 is measured before it counts: give --check DATA, a folder with train and valid")
    read = partial(_read, columns=options.columns)
    with writing(folder), locked(folder, folder / EXPORT_LOCK), _scratch(folder) as work:
        labels = _write_files(folder, read(data, "train") if options.int8 and data else None, work)
        valid = for_task(read(data, "valid"), ModelFolder(work).task, f"{data}/valid") if data else []
        encode_labels(valid, labels, f"{data}/valid")
        precisions = _measure(work, Labelled.of(valid), progress) if valid else {}
        exported = Exported(folder, _choose(folder, precisions, options.max_drop), len(valid), precisions)
        _install(work, exported)
    return exported


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """An empty folder within a model's, for the time of an export; one that a kill has left is removed."""
    work = folder / ".export"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _find(options: ExportOptions) -> tuple[Path, Path | None]:
    """The folders of the model and of the data."""
    folder = ModelFolder.find(options.model).path
    is_run = folder != options.model
    if not (folder / CONFIG).is_file():
        raise PotstillError(f"{folder}: no {CONFIG} in it; give the folder of a trained model, or of a run")
    return folder, options.check or (options.model / "data" if is_run else None)


def _read(data: Path, split: str, columns: Columns) -> list[Example]:
    return read_examples(find_split(data, split), columns)


def _write_files(folder: Path, train: list[Example] | None, work: Path) -> list[str]:
    """Write the files that a classifier is loaded from; in 8-bit integers too if there is text to measure ranges on.

    :return: its labels.
    """
    from potstill.export.onnx_files import export_fp32, export_int8
    from potstill.teachers.checkpoints import open_finetuned

    checkpoint = open_finetuned(str(folder))
    for name in (CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS):
        if (folder / name).is_file():
            link_or_copy(folder / name, work / name)
    _note_padding(work, checkpoint.model.config.pad_token_id)
    export_fp32(checkpoint.model, checkpoint.tokenizer, work)
    if train is not None:
        mixed = np.random.default_rng(0).permutation(len(train))  # files are often sorted by label or length
        texts = [train[row].content for row in mixed]
        export_int8(checkpoint.model, work / ONNX_MODEL, checkpoint.tokenizer.backend_tokenizer, texts)
    return checkpoint.labels


def _note_padding(work: Path, pad_id: int | None) -> None:
    """Write the padding token into a configuration that has another or none: its graph finds a text's end by it."""
    if pad_id not in (None, ModelFolder(work).pad_id):
        config = ModelFolder(work).config
        (work / CONFIG).unlink()  # a link to the model's own
        write_json(work / CONFIG, config | {"pad_token_id": pad_id})


def _measure(work: Path, valid: Labelled, progress: Progress) -> dict[str, Precision]:
    """Measure each precision on the same texts; the times in turn, so that the machine's load affects all alike."""
    names = ModelFolder(work).precisions
    classifiers = {name: load(work, threads=1, precision=name) for name in names}
    predictions, times = {}, {name: list[float]() for name in names}
    with progress("measuring", len(names) * (1 + _ROUNDS)) as bar:
        for name, classifier in classifiers.items():
            predictions[name] = classifier.predict(valid.texts)
            bar.update(1)
        for _ in range(_ROUNDS):
            for name, classifier in classifiers.items():
                times[name] += time_calls(classifier.predict, valid.texts)
                bar.update(1)
    takes_several = valid.task.takes_several
    shares = {
        name: valid.f1(labels) if takes_several else float(valid.is_right(labels).mean())
        for name, labels in predictions.items()
    }
    return {
        name: Precision(
            figure="macro F1" if takes_several else valid.task.accuracy_name,
            share=shares[name],
            agreement=float((predictions[name] == predictions["fp32"]).mean()),
            drop=round(100 * (shares["fp32"] - shares[name]), 6),
            p50_ms=statistics.median(times[name]),
            megabytes=ModelFolder(work).megabytes(name),
        )
        for name in names
    }


def _choose(folder: Path, precisions: dict[str, Precision], max_drop: float) -> str:
    """The smallest of the fastest precisions; each must keep the accuracy.

    A file that predicts worse is refused, and one that is no faster is not chosen.
    """
    for name, precision in precisions.items():
        if precision.drop > max_drop:
            raise PotstillError(
                f"{folder}: {name} loses {precision.drop:.2f} points of {precision.figure} on valid "
                f"({100 * precisions['fp32'].share:.2f} to {100 * precision.share:.2f}), more than "
                f"--max_drop={max_drop:g}: refused, nothing was changed; allow more, or keep fp32"
            )
    if not precisions:
        return "fp32"
    limit = _AS_FAST * min(precision.p50_ms for precision in precisions.values())
    fast = [name for name, precision in precisions.items() if precision.p50_ms <= limit]
    return min(fast, key=lambda name: precisions[name].megabytes)


def _install(work: Path, exported: Exported) -> None:
    """Put the new files in place of the old ones; until the choice is written, ``load`` takes fp32."""
    folder = exported.folder
    changed = [CONFIG] if (work / CONFIG).read_bytes() != (folder / CONFIG).read_bytes() else []
    written = [*ONNX_FILES.values(), *PLANS.values(), *PLAN_WEIGHTS.values()]
    with replacing(folder, [PRECISION, *written, *changed]):
        (folder / PRECISION).unlink(missing_ok=True)
        for name in changed:
            (work / name).replace(folder / name)
        for file in written:
            if (work / file).is_file():
                (work / file).replace(folder / file)
            else:
                (folder / file).unlink(missing_ok=True)
        if exported.precisions:
            measured = {name: asdict(precision) for name, precision in exported.precisions.items()}
            write_json(
                folder / PRECISION,
                {"default": exported.default, "n_valid": exported.n_valid, "precisions": measured},
            )
