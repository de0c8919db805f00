"""What a model is worth: accuracy, macro F1, latency and size of its folder, measured as it would be deployed.

Teachers and students alike run through ONNX Runtime, from raw text to label.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from potstill.corpus.encoded import Text
from potstill.corpus.examples import Example
from potstill.runtime.classifier import Classifier, deployed_files, load, softmax
from potstill.training.calibration import calibration_error

_WARM_UP = 20  # texts before the clock starts
_TIMED = 300  # texts, one at a time


@dataclass(frozen=True)
class Labelled:
    """Texts, or pairs of them, and their gold labels."""

    texts: Sequence[Text]
    labels: Sequence[str]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Labelled":
        """Those of a split."""
        return cls([example.content for example in examples], [example.label for example in examples])


@dataclass(frozen=True)
class Score:
    """One model's row of the table.

    :param accuracy: the share of right labels on test: ``correct`` of ``total``.
    :param macro_f1: the mean of the labels' F1 on test.
    :param valid_accuracy: the share of right labels on valid.
    :param calibration_error: on test, the expected difference between a probability and how often it is right;
        ``uncalibrated_error`` that before the temperature.
    :param p50_ms: median milliseconds a text, one at a time on one thread, raw text to label; ``p95_ms``
        the 95th percentile.
    :param parameters: numbers in the weights, the word table included.
    :param megabytes: of the files that are deployed: ONNX file, tokenizer and configuration.
    """

    name: str
    accuracy: float
    correct: int
    total: int
    macro_f1: float
    valid_accuracy: float
    calibration_error: float
    uncalibrated_error: float
    p50_ms: float
    p95_ms: float
    parameters: int
    megabytes: float


def score_model(name: str, folder: Path, *, test: Labelled, valid: Labelled) -> Score:
    """Measure a model's folder."""
    from sklearn.metrics import f1_score

    classifier = load(folder)
    logits = classifier.logits(test.texts)
    predicted = classifier.classes_[logits.argmax(axis=1)]
    right = predicted == np.array(test.labels, dtype=object)
    correct = int(right.sum())
    valid_correct = classifier.predict(valid.texts) == np.array(valid.labels, dtype=object)
    times = time_texts(load(folder, threads=1), test.texts)
    return Score(
        name=name,
        accuracy=correct / len(test.texts),
        correct=correct,
        total=len(test.texts),
        macro_f1=float(f1_score(list(test.labels), predicted.tolist(), average="macro")),
        valid_accuracy=float(valid_correct.mean()),
        calibration_error=calibration_error(softmax(logits / classifier.temperature).max(axis=1), right),
        uncalibrated_error=calibration_error(softmax(logits).max(axis=1), right),
        p50_ms=statistics.median(times),
        p95_ms=float(np.percentile(times, 95)),
        parameters=_count_parameters(folder),
        megabytes=sum(file.stat().st_size for file in deployed_files(folder)) / 1e6,
    )


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


def _count_parameters(folder: Path) -> int:
    from safetensors import safe_open

    total = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as weights:
            total += sum(int(np.prod(weights.get_slice(name).get_shape())) for name in weights.keys())  # noqa: SIM118
    return total
