"""What a cascade of a student and a teacher would do: how many texts go to the teacher, and what that gives and costs.

Pure: answers in, cascades out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_THRESHOLDS = (0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True)
class CascadePoint:
    """A cascade: what the student is less sure of than a threshold goes to the teacher.

    :param share: of the texts that go to the teacher.
    :param mean_ms: a text on one thread: the student's median, and for the share the teacher's.
    """

    threshold: float
    share: float
    accuracy: float
    mean_ms: float


@dataclass(frozen=True)
class CascadeModel:
    """One side of a cascade, on some texts.

    :param confidence: the probability of each text's decision, ``[n_texts]``.
    :param correct: whether that decision is the gold label, ``[n_texts]``.
    :param ms: a text.
    """

    confidence: NDArray[np.float32]
    correct: NDArray[np.bool_]
    ms: float


def cascade_points(student: CascadeModel, teacher: CascadeModel) -> list[CascadePoint]:
    """What a cascade of the two does at each threshold."""
    cascades = []
    for threshold in _THRESHOLDS:
        asks = student.confidence < threshold
        share = float(asks.mean())
        right = np.where(asks, teacher.correct, student.correct)
        cascades.append(CascadePoint(threshold, share, float(right.mean()), student.ms + share * teacher.ms))
    return cascades
