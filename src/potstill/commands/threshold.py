"""Threshold: from which confidence on a model should give a label, fitted on labelled text and kept with the model."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from potstill.artifacts import CONFIDENCE, CONFIG, EXPORT_LOCK, write_json, writing
from potstill.corpus.columns import Columns
from potstill.corpus.examples import read_examples, read_pairs, read_texts
from potstill.corpus.labels import encode_labels, for_task
from potstill.corpus.splits import find_split
from potstill.errors import PotstillError
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.risk import (
    RiskCoverage,
    RiskPoint,
    reach_coverage,
    reach_false_positives,
    reach_precision,
    risk_coverage,
)
from potstill.files import check_input
from potstill.locks import locked
from potstill.manifests import replacing
from potstill.model_folder import ModelFolder
from potstill.progress import Progress, silent
from potstill.runtime.classifier import load
from potstill.tables import table
from potstill.tasks import Task

_SHOWN = 15  # points of the curve


@dataclass(frozen=True)
class ThresholdOptions:
    """Fit from which confidence on a model gives a label, and keep it with the model under a name."""

    model: Annotated[Path, tyro.conf.Positional]
    """A student's folder, an exported teacher's, or a run's, whose student/ is meant."""
    data: Path | None = None
    """Labelled text to fit on: a file, or a folder, whose valid is taken. Default: of a run's folder its own valid."""
    columns: Annotated[Columns, tyro.conf.arg(name="")] = field(default_factory=Columns)
    precision: float | None = None
    """Let this share of the labels that are given be right, such as 0.95."""
    coverage: float | None = None
    """Or: give this share of the texts a label, such as 0.9."""
    false_positives: float | None = None
    """Or: give a label to no more than this share of the texts of --unknown, such as 0.05."""
    unknown: Path | None = None
    """Texts that none of the labels fits (out of scope), one a line or in a column. Without --false_positives the table
    tells how many of them get no label."""
    name: str = "default"
    """The threshold's name: predict --at_least NAME."""

    def __post_init__(self) -> None:
        given = [name for name in ("precision", "coverage", "false_positives") if getattr(self, name) is not None]
        if len(given) != 1:
            raise PotstillError("give one of --precision, --coverage and --false_positives")
        value = getattr(self, given[0])
        if not 0 <= value <= 1:
            raise PotstillError(f"--{given[0]}={value}: a share is between 0 and 1")
        if self.false_positives is not None and self.unknown is None:
            raise PotstillError("--false_positives is of texts that no label fits: give them with --unknown")
        if not self.name.strip() or _is_number(self.name):
            raise PotstillError(f"--name={self.name}: give a name that is no number, such as default")
        if self.unknown is not None:
            check_input(self.unknown)


@dataclass(frozen=True)
class Threshold:
    """A threshold that is kept with a model.

    :param folder: of the model.
    :param curve: of the texts that it was fitted on.
    :param refused: of each point of the thinned curve the share of unknown texts that get no label; none without such.
    """

    folder: Path
    name: str
    point: RiskPoint
    curve: RiskCoverage
    refused: list[float]
    n_texts: int
    refused_share: float | None

    def __str__(self) -> str:
        head = ["from confidence", "texts with a label %", "right of these %"]
        rows = [
            [f"{point.at_least:.4f}", f"{100 * point.coverage:.1f}", f"{100 * (1 - point.risk):.2f}"]
            for point in self.curve.thinned(_SHOWN).points
        ]
        if self.refused:
            head.append("unknown without a label %")
            rows = [[*row, f"{100 * share:.1f}"] for row, share in zip(rows, self.refused, strict=True)]
        found = (
            f"{self.name}: from {self.point.at_least:.4f} on {100 * self.point.coverage:.1f}% of {self.n_texts} texts "
            f"get a label, {100 * (1 - self.point.risk):.2f}% of these labels are right"
        )
        if self.refused_share is not None:
            found += f", {100 * self.refused_share:.1f}% of the unknown texts get none"
        return "\n".join(
            [
                table(head, rows),
                "",
                f"area under the risk-coverage curve: {100 * self.curve.area:.3f} (smaller is better)",
                found,
                f"{self.folder / CONFIG} keeps it: potstill predict {self.folder} --at_least {self.name}",
            ]
        )


def threshold(options: ThresholdOptions, progress: Progress = silent) -> Threshold:
    """Fit a threshold and keep it in the model's configuration.

    :raises PotstillError: when there is no such model or text, or nothing reaches what is asked.
    """
    folder = ModelFolder.find(options.model).path
    classifier = load(folder)
    test = _read(options, classifier.classes_.tolist(), classifier.task, is_run=folder != options.model)
    read = read_texts if isinstance(test.texts[0], str) else read_pairs
    unknown = list(read(options.unknown, options.columns.of_texts)) if options.unknown else []
    task = classifier.task
    with progress("predicting", len(test.texts) + len(unknown)) as bar:
        probabilities = classifier.predict_proba(test.texts)
        bar.update(len(test.texts))
        unsure = task.confidence(classifier.predict_proba(unknown)) if unknown else np.zeros(0, np.float32)
        bar.update(len(unknown))
    is_right = test.is_right(task.decode(task.decide_from_probabilities(probabilities), classifier.classes_))
    curve = risk_coverage(task.confidence(probabilities), is_right)
    if options.precision is not None:
        point = reach_precision(curve, options.precision)
    elif options.coverage is not None:
        point = reach_coverage(curve, options.coverage)
    else:
        assert options.false_positives is not None
        point = reach_false_positives(curve, unsure, options.false_positives)
    shares = [float((unsure < each.at_least).mean()) for each in curve.thinned(_SHOWN).points] if unknown else []
    share = float((unsure < point.at_least).mean()) if unknown else None
    _keep(folder, options.name, asdict(point) | {"n_texts": len(test.texts), "refused_unknown": share})
    return Threshold(folder, options.name, point, curve, shares, len(test.texts), share)


def _read(options: ThresholdOptions, labels: list[str], task: Task, *, is_run: bool) -> Labelled:
    """The labelled texts.

    :raises PotstillError: when there are none, or with labels that the model does not have.
    """
    data = options.data or (options.model / "data" if is_run else None)
    if data is None:
        raise PotstillError("--data: give labelled text that the model was not trained on, such as its valid")
    file = find_split(data, "valid") if data.is_dir() else data
    examples = for_task(read_examples(file, options.columns), task, str(file))
    encode_labels(examples, labels, str(file))
    return Labelled.of(examples)


def _keep(folder: Path, name: str, fitted: dict[str, Any]) -> None:
    """Write a threshold into the model's configuration, beside those of other names."""
    with writing(folder), locked(folder, folder / EXPORT_LOCK):
        config = ModelFolder(folder).config
        with replacing(folder, [CONFIG]):
            write_json(folder / CONFIG, config | {CONFIDENCE: config.get(CONFIDENCE, {}) | {name: fitted}})


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
