"""What a cascade of a student and a teacher would do: how many texts go to the teacher, and what that gives and costs.

Pure: confidences in, figures out. The cascade that predicts is :class:`potstill.runtime.cascade.Cascade`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_THRESHOLDS = (0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True)
class MeasuredCascade:
    """A cascade at one threshold: where the student's confidence is below it, the teacher predicts.

    :param share: of the texts that go to the teacher.
    :param mean_ms: a text on one thread: the student's median, and for the share the teacher's.
    """

    threshold: float
    share: float
    accuracy: float
    mean_ms: float


@dataclass(frozen=True)
class CascadeSide:
    """One side of a cascade, on some texts.

    :param confidence: the probability of each text's decision, ``[n_texts]``.
    :param is_right: whether that decision is the gold label, ``[n_texts]``.
    :param ms: a text.
    """

    confidence: NDArray[np.float32]
    is_right: NDArray[np.bool_]
    ms: float


def measure_cascades(student: CascadeSide, teacher: CascadeSide) -> list[MeasuredCascade]:
    """What a cascade of the two does at each threshold."""
    cascades = []
    for threshold in _THRESHOLDS:
        is_below = student.confidence < threshold
        share = float(is_below.mean())
        is_right = np.where(is_below, teacher.is_right, student.is_right)
        cascades.append(MeasuredCascade(threshold, share, float(is_right.mean()), student.ms + share * teacher.ms))
    return cascades
