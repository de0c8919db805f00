"""Measures models as they would be deployed: what they predict, how long that takes, how they compare with the teacher.

Teachers and students alike run through ONNX Runtime, from raw text to label, one text at a time on one thread: neither
has a framework's overhead that the other lacks. The time is that of the whole path, as that is what a user waits for.
"""

import logging
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.texts import Text, joined
from potstill.evaluation.cascades import CascadeSide, measure_cascades
from potstill.evaluation.label_figures import count_confusion, figures_by_label, never_predicted
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.results import Coverage, Disagreement, Role, Score
from potstill.evaluation.risk import RiskCoverage, risk_coverage
from potstill.model_folder import ModelFolder
from potstill.runtime.classifier import Classifier, load
from potstill.tasks import Label, Temperature, shown_label
from potstill.teachers.recorded import RecordedTeacher, is_recorded
from potstill.training.calibration import calibration_error

logger = logging.getLogger(__name__)

_WARM_UP = 20  # texts before the clock starts
_TIMED = 300  # texts, one at a time
_N_DISAGREEMENTS = 10
_NO_ROWS = np.zeros(0, dtype=np.int64)
NO_ANSWER = "(no answer)"  # instead of a label, where a black box gave none


@dataclass(frozen=True)
class Model:
    """A row to measure: its name, what it is, and its folder in the run.

    :param precision: the one to measure; None: that which :func:`~potstill.runtime.classifier.load` takes.
    """

    name: str
    role: Role
    folder: str
    precision: str | None = None


@dataclass(frozen=True)
class _Predictions:
    """What a model predicted; its labels are in the order of the teacher's.

    :param logits: on test, ``[n_texts, n_labels]``.
    :param valid_probs: probabilities on valid, ``[n_texts, n_labels]``.
    :param times: milliseconds of single texts.
    :param lacking: the rows of test, and of valid, to which a black box gave no answer.
    """

    classifier: Classifier | RecordedTeacher
    logits: NDArray[np.float32]
    valid_probs: NDArray[np.float32]
    times: list[float]
    lacking: tuple[NDArray[np.int64], NDArray[np.int64]] = (_NO_ROWS, _NO_ROWS)

    @property
    def labels(self) -> NDArray[np.object_]:
        """Of test's texts."""
        model = self.classifier
        labels = model.task.decode(model.task.decide(self.logits, model.temperature), model.classes_)
        labels[self.lacking[0]] = NO_ANSWER  # counts as wrong
        return labels

    @property
    def valid_labels(self) -> NDArray[np.object_]:
        """Of valid's texts."""
        task = self.classifier.task
        labels = task.decode(task.decide_from_probabilities(self.valid_probs), self.classifier.classes_)
        labels[self.lacking[1]] = NO_ANSWER
        return labels

    def probabilities(self, temperature: Temperature | None = None) -> NDArray[np.float32]:
        """Of test's texts, ``[n_texts, n_labels]``; calibrated, or at a temperature."""
        model = self.classifier
        return model.task.probabilities(self.logits, model.temperature if temperature is None else temperature)

    def as_cascade_side(self, test: Labelled) -> CascadeSide:
        """As one side of a cascade."""
        confidence = self.classifier.task.confidence(self.probabilities())
        return CascadeSide(confidence, test.is_right(self.labels), statistics.median(self.times))

    def risk_coverage(self, test: Labelled) -> RiskCoverage:
        """How often it is right where it is confident."""
        return risk_coverage(self.classifier.task.confidence(self.probabilities()), test.is_right(self.labels))

    def calibration_error(self, test: Labelled, temperature: Temperature | None = None) -> float:
        """How far its probabilities are from how often they come true, in points, where texts have an answer."""
        task, gold = self.classifier.task, test.gold(self.classifier.classes_.tolist())
        probabilities, is_so = task.outcomes(self.probabilities(temperature), gold)
        if not task.takes_several:
            is_so = test.is_right(self.labels)  # a text without an answer is wrong
        return calibration_error(probabilities, is_so)

    def valid_figures(self, valid: Labelled) -> dict[str, float]:
        """The task's figures on valid."""
        figures = self.classifier.task.figures(self.valid_probs, valid.gold(self.classifier.classes_.tolist()))
        return figures | {"accuracy": float(valid.is_right(self.valid_labels).mean())}


def score_models(models: Sequence[Model], run: Path, *, test: Labelled, valid: Labelled) -> list[Score]:
    """Measure the models of a run.

    :param models: the teacher first, to which the others are compared.
    """
    teacher, scores = None, []
    for model in models:
        logger.info("measuring %s", model.name)
        predictions = _predict(run / model.folder, model.precision, test, valid)
        teacher = teacher or predictions
        scores.append(_score(model, run / model.folder, predictions, teacher, test=test, valid=valid))
    return scores


def _predict(folder: Path, precision: str | None, test: Labelled, valid: Labelled) -> _Predictions:
    if is_recorded(folder):
        return _recall(RecordedTeacher(folder), test, valid)
    classifier = load(folder, precision=precision)
    times = time_calls(load(folder, threads=1, precision=precision).predict, test.texts)
    return _Predictions(classifier, classifier.logits(test.texts), classifier.predict_proba(valid.texts), times)


def _recall(teacher: RecordedTeacher, test: Labelled, valid: Labelled) -> _Predictions:
    """What a black box answered."""
    lacking = [np.flatnonzero(~teacher.has_answer(part.texts)) for part in (test, valid)]
    probabilities = teacher.task.probabilities(teacher.logits(valid.texts), teacher.temperature)
    return _Predictions(
        teacher, teacher.logits(test.texts), probabilities, teacher.milliseconds, (lacking[0], lacking[1])
    )


def _score(
    model: Model, folder: Path, predictions: _Predictions, teacher: _Predictions, *, test: Labelled, valid: Labelled
) -> Score:
    is_right = test.is_right(predictions.labels)
    is_teacher = predictions is teacher
    task, names = predictions.classifier.task, predictions.classifier.classes_.tolist()
    deployed = None if isinstance(predictions.classifier, RecordedTeacher) else ModelFolder(folder)
    return Score(
        name=model.name,
        role=model.role,
        folder=model.folder,
        accuracy=float(is_right.mean()),
        correct=int(is_right.sum()),
        total=len(is_right),
        macro_f1=test.f1(predictions.labels),
        micro_f1=test.micro_f1(predictions.labels),
        average_precision=_average_precision(test, predictions),
        valid=predictions.valid_figures(valid),
        agreement=None
        if is_teacher
        else float(Labelled(test.texts, teacher.labels.tolist()).is_right(predictions.labels).mean()),
        calibration_error=predictions.calibration_error(test),
        uncalibrated_error=predictions.calibration_error(test, 1.0),
        p50_ms=statistics.median(predictions.times),
        p95_ms=float(np.percentile(predictions.times, 95)),
        parameters=deployed.n_parameters if deployed else None,
        megabytes=deployed.megabytes(model.precision) if deployed else None,
        confusion=count_confusion(test, predictions.labels.tolist()),
        by_label=figures_by_label(test, predictions.labels.tolist(), names, getattr(task, "thresholds", ())),
        never_predicted=never_predicted(model.name, valid, predictions.valid_labels.tolist(), names),
        risk_coverage=predictions.risk_coverage(test).thinned(),
        coverage=_cover(predictions.classifier, folder, test),
        cascades=[]
        if is_teacher
        else measure_cascades(predictions.as_cascade_side(test), teacher.as_cascade_side(test)),
        disagreements=[] if is_teacher else _disagree(predictions, teacher, valid),
    )


def _average_precision(test: Labelled, predictions: _Predictions) -> float | None:
    """The mean of the labels' average precision, where a text may have several."""
    task, names = predictions.classifier.task, predictions.classifier.classes_.tolist()
    return task.figures(predictions.probabilities(), test.gold(names)).get("average_precision")


def _cover(classifier: Classifier | RecordedTeacher, folder: Path, test: Labelled) -> Coverage | None:
    """How many words of test a student knows; a transformer knows every word by its pieces."""
    if isinstance(classifier, RecordedTeacher):
        return None
    counts = classifier.count_words(test.texts)
    if counts is None:
        return None
    words, unknown = counts.T
    return Coverage(
        vocabulary=ModelFolder(folder).config["vocab_size"],
        words=int(words.sum()),
        unknown=int(unknown.sum()),
        texts_with_unknown=int((unknown > 0).sum()),
    )


def _disagree(student: _Predictions, teacher: _Predictions, valid: Labelled) -> list[Disagreement]:
    """The texts of valid with the largest total variation distance between the two, without duplicates.

    Where a text may have several labels, the distance is the sum of the labels'.
    """
    # Of valid: what is read leads to changes, and test is to stay unseen.
    distance = np.abs(student.valid_probs - teacher.valid_probs).sum(axis=1) / 2
    task = teacher.classifier.task
    labels = [model.valid_labels for model in (teacher, student)]
    confidences = [task.confidence(model.valid_probs) for model in (teacher, student)]
    rows: dict[Text, int] = {}
    for row in np.argsort(-distance, kind="stable").tolist():
        if row not in teacher.lacking[1]:
            rows.setdefault(valid.texts[row], row)
    return [
        Disagreement(
            text=joined(valid.texts[row]),
            label=_shown(valid.labels[row]),
            teacher_label=_shown(labels[0][row]),
            teacher_probability=float(confidences[0][row]),
            student_label=_shown(labels[1][row]),
            student_probability=float(confidences[1][row]),
        )
        for row in list(rows.values())[:_N_DISAGREEMENTS]
    ]


def _shown(label: Label) -> str:
    """A label, or several in one order, so that equal ones look alike."""
    return shown_label(label if isinstance(label, str) else tuple(sorted(label)))


def time_calls(predict: Callable[[Sequence[Text]], object], texts: Sequence[Text]) -> list[float]:
    """Milliseconds of each text, alone in its call, after a warm-up; the first :data:`_TIMED` texts."""
    for text in texts[:_WARM_UP]:
        predict([text])
    times = []
    for text in texts[:_TIMED]:
        start = time.perf_counter()
        predict([text])
        times.append(1000 * (time.perf_counter() - start))
    return times
