"""Measures models as they would be deployed: what they answer, how long that takes, and how they stand to the teacher.

Teachers and students alike run through ONNX Runtime, from raw text to label.
"""

import logging
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.encoded import Text
from potstill.corpus.examples import Example
from potstill.evaluation.cascades import CascadeModel, cascade_points
from potstill.evaluation.results import Coverage, Disagreement, Role, Score
from potstill.model_folder import ModelFolder
from potstill.runtime.classifier import Classifier, load
from potstill.training.calibration import calibration_error

logger = logging.getLogger(__name__)

_WARM_UP = 20  # texts before the clock starts
_TIMED = 300  # texts, one at a time
_N_DISAGREEMENTS = 10


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
class _Answers:
    """What a model answered; its labels are in the order of the teacher's.

    :param logits: on test, ``[n_texts, n_labels]``.
    :param valid: probabilities on valid, ``[n_texts, n_labels]``.
    :param times: milliseconds of single texts.
    """

    classifier: Classifier
    logits: NDArray[np.float32]
    valid: NDArray[np.float32]
    times: list[float]

    @property
    def labels(self) -> NDArray[np.object_]:
        """Of test's texts."""
        labels: NDArray[np.object_] = self.classifier.classes_[self.classifier.task.decide(self.logits)]
        return labels

    @property
    def confidence(self) -> NDArray[np.float32]:
        """The calibrated probabilities of these labels."""
        return self.confidence_at(self.classifier.temperature)

    def confidence_at(self, temperature: float) -> NDArray[np.float32]:
        """The probabilities of these labels at a temperature."""
        task = self.classifier.task
        return task.confidence(task.probabilities(self.logits, temperature))

    def as_cascade_model(self, test: Labelled) -> CascadeModel:
        """As one side of a cascade."""
        return CascadeModel(self.confidence, test.is_right(self.labels), statistics.median(self.times))


def score_models(models: Sequence[Model], run: Path, *, test: Labelled, valid: Labelled) -> list[Score]:
    """Measure the models of a run.

    :param models: the teacher first, to which the others are compared.
    """
    teacher, scores = None, []
    for model in models:
        logger.info("measuring %s", model.name)
        answers = _ask(run / model.folder, model.precision, test, valid)
        teacher = teacher or answers
        scores.append(_score(model, run / model.folder, answers, teacher, test=test, valid=valid))
    return scores


def _ask(folder: Path, precision: str | None, test: Labelled, valid: Labelled) -> _Answers:
    classifier = load(folder, precision=precision)
    times = time_texts(load(folder, threads=1, precision=precision), test.texts)
    return _Answers(classifier, classifier.logits(test.texts), classifier.predict_proba(valid.texts), times)


def _score(
    model: Model, folder: Path, answers: _Answers, teacher: _Answers, *, test: Labelled, valid: Labelled
) -> Score:
    from sklearn.metrics import f1_score

    right = test.is_right(answers.labels)
    is_teacher = answers is teacher
    valid_labels = answers.classifier.classes_[answers.classifier.task.decide_from_probabilities(answers.valid)]
    return Score(
        name=model.name,
        role=model.role,
        folder=model.folder,
        accuracy=float(right.mean()),
        correct=int(right.sum()),
        total=len(right),
        macro_f1=float(f1_score(list(test.labels), answers.labels.tolist(), average="macro")),
        valid_accuracy=float(valid.is_right(valid_labels).mean()),
        agreement=None if is_teacher else float((answers.labels == teacher.labels).mean()),
        calibration_error=calibration_error(answers.confidence, right),
        uncalibrated_error=calibration_error(answers.confidence_at(1.0), right),
        p50_ms=statistics.median(answers.times),
        p95_ms=float(np.percentile(answers.times, 95)),
        parameters=ModelFolder(folder).n_parameters,
        megabytes=ModelFolder(folder).megabytes(model.precision),
        confusion=count_confusion(test.labels, answers.labels.tolist()),
        coverage=_cover(answers.classifier, folder, test),
        cascades=[] if is_teacher else cascade_points(answers.as_cascade_model(test), teacher.as_cascade_model(test)),
        disagreements=[] if is_teacher else _disagree(answers, teacher, valid),
    )


def count_confusion(gold: Sequence[str], predicted: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many texts of each gold label got each label; pairs that do not occur are left out."""
    table: dict[str, dict[str, int]] = defaultdict(dict)
    for (label, found), n_texts in sorted(Counter(zip(gold, predicted, strict=True)).items()):
        table[label][found] = n_texts
    return dict(table)


def _cover(classifier: Classifier, folder: Path, test: Labelled) -> Coverage | None:
    """How many words of test a student knows; a transformer knows every word by its pieces."""
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


def _disagree(student: _Answers, teacher: _Answers, valid: Labelled) -> list[Disagreement]:
    """The texts of valid with the largest total variation distance between the two, none twice."""
    distance = np.abs(student.valid - teacher.valid).sum(axis=1) / 2
    task, classes = teacher.classifier.task, teacher.classifier.classes_
    labels = [classes[task.decide_from_probabilities(model.valid)] for model in (teacher, student)]
    confidences = [task.confidence(model.valid) for model in (teacher, student)]
    rows: dict[Text, int] = {}
    for row in np.argsort(-distance, kind="stable").tolist():
        rows.setdefault(valid.texts[row], row)
    found = []
    for row in list(rows.values())[:_N_DISAGREEMENTS]:
        found.append(
            Disagreement(
                text=str(valid.texts[row]),
                label=valid.labels[row],
                teacher_label=str(labels[0][row]),
                teacher_probability=float(confidences[0][row]),
                student_label=str(labels[1][row]),
                student_probability=float(confidences[1][row]),
            )
        )
    return found


def time_texts(classifier: Classifier, texts: Sequence[Text]) -> list[float]:
    """Milliseconds of each text, alone in its call, after a warm-up; the first :data:`_TIMED` texts."""
    for text in texts[:_WARM_UP]:
        classifier.predict([text])
    times = []
    for text in texts[:_TIMED]:
        start = time.perf_counter()
        classifier.predict([text])
        times.append(1000 * (time.perf_counter() - start))
    return times
