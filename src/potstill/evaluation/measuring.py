"""Measures models as they would be deployed: what they predict, how long that takes, how they compare with the teacher.

Teachers and students alike run through ONNX Runtime, from raw text to label, one text at a time on one thread: neither
has a framework's overhead that the other lacks. The time is that of the whole path, as that is what a user waits for.
"""

import logging
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.encoded import Text
from potstill.corpus.examples import Example
from potstill.evaluation.cascades import CascadeSide, measure_cascades
from potstill.evaluation.results import Coverage, Disagreement, Role, Score
from potstill.model_folder import ModelFolder
from potstill.runtime.classifier import Classifier, load
from potstill.teachers.recorded import RecordedTeacher, is_recorded
from potstill.training.calibration import calibration_error

logger = logging.getLogger(__name__)

_WARM_UP = 20  # texts before the clock starts
_TIMED = 300  # texts, one at a time
_N_DISAGREEMENTS = 10
_NO_ROWS = np.zeros(0, dtype=np.int64)
NO_ANSWER = "(no answer)"  # instead of a label, where a black box gave none


@dataclass(frozen=True)
class Labelled:
    """Texts, or pairs of them, and their gold labels."""

    texts: Sequence[Text]
    labels: Sequence[str]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Labelled":
        """Those of a split."""
        return cls([example.content for example in examples], [example.label for example in examples])

    def is_right(self, labels: NDArray[np.object_]) -> NDArray[np.bool_]:
        """Whether each of a model's labels is the gold one, ``[n_texts]``."""
        right: NDArray[np.bool_] = labels == np.array(self.labels, dtype=object)
        return right


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
        labels: NDArray[np.object_] = self.classifier.classes_[self.classifier.task.decide(self.logits)]
        labels[self.lacking[0]] = NO_ANSWER  # counts as wrong
        return labels

    @property
    def valid_labels(self) -> NDArray[np.object_]:
        """Of valid's texts."""
        task = self.classifier.task
        labels: NDArray[np.object_] = self.classifier.classes_[task.decide_from_probabilities(self.valid_probs)]
        labels[self.lacking[1]] = NO_ANSWER
        return labels

    @property
    def confidence(self) -> NDArray[np.float32]:
        """The calibrated probabilities of these labels."""
        return self.confidence_at(self.classifier.temperature)

    def confidence_at(self, temperature: float) -> NDArray[np.float32]:
        """The probabilities of these labels at a temperature."""
        task = self.classifier.task
        return task.confidence(task.probabilities(self.logits, temperature))

    def as_cascade_side(self, test: Labelled) -> CascadeSide:
        """As one side of a cascade."""
        return CascadeSide(self.confidence, test.is_right(self.labels), statistics.median(self.times))


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
    from sklearn.metrics import f1_score

    is_right = test.is_right(predictions.labels)
    is_teacher = predictions is teacher
    deployed = None if isinstance(predictions.classifier, RecordedTeacher) else ModelFolder(folder)
    return Score(
        name=model.name,
        role=model.role,
        folder=model.folder,
        accuracy=float(is_right.mean()),
        correct=int(is_right.sum()),
        total=len(is_right),
        macro_f1=float(f1_score(list(test.labels), predictions.labels.tolist(), average="macro")),
        valid_accuracy=float(valid.is_right(predictions.valid_labels).mean()),
        agreement=None if is_teacher else float((predictions.labels == teacher.labels).mean()),
        calibration_error=calibration_error(predictions.confidence, is_right),
        uncalibrated_error=calibration_error(predictions.confidence_at(1.0), is_right),
        p50_ms=statistics.median(predictions.times),
        p95_ms=float(np.percentile(predictions.times, 95)),
        parameters=deployed.n_parameters if deployed else None,
        megabytes=deployed.megabytes(model.precision) if deployed else None,
        confusion=count_confusion(test.labels, predictions.labels.tolist()),
        coverage=_cover(predictions.classifier, folder, test),
        cascades=[]
        if is_teacher
        else measure_cascades(predictions.as_cascade_side(test), teacher.as_cascade_side(test)),
        disagreements=[] if is_teacher else _disagree(predictions, teacher, valid),
    )


def count_confusion(gold: Sequence[str], predicted: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many texts of each gold label got each label; pairs that do not occur are left out."""
    table: dict[str, dict[str, int]] = defaultdict(dict)
    for (gold_label, label), n_texts in sorted(Counter(zip(gold, predicted, strict=True)).items()):
        table[gold_label][label] = n_texts
    return dict(table)


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
    """The texts of valid with the largest total variation distance between the two, without duplicates."""
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
            text=str(valid.texts[row]),
            label=valid.labels[row],
            teacher_label=str(labels[0][row]),
            teacher_probability=float(confidences[0][row]),
            student_label=str(labels[1][row]),
            student_probability=float(confidences[1][row]),
        )
        for row in list(rows.values())[:_N_DISAGREEMENTS]
    ]


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
