"""Selective prediction: how often a model is right where it is confident, and from where on it should answer.

Pure: confidences in, figures out. Risk is the share of wrong answers among those that are given, coverage the share of
texts that get one (El-Yaniv and Wiener 2010, https://jmlr.org/papers/v11/el-yaniv10a.html).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potstill.errors import PotstillError


@dataclass(frozen=True)
class RiskPoint:
    """What a threshold gives: texts of at least this confidence get an answer.

    :param risk: the share of wrong ones among these answers.
    :param coverage: the share of texts that get one.
    """

    at_least: float
    coverage: float
    risk: float


@dataclass(frozen=True)
class RiskCoverage:
    """All thresholds, from the highest on.

    :param area: the mean of the risk over all coverages: 0 where wrong answers are less confident than all right ones
        and there are none, smaller is better.
    """

    points: list[RiskPoint]
    area: float

    def thinned(self, n_points: int = 50) -> "RiskCoverage":
        """The same with fewer points, evenly spread over coverage."""
        rows = np.unique(np.linspace(0, len(self.points) - 1, min(n_points, len(self.points))).round().astype(int))
        return RiskCoverage([self.points[row] for row in rows.tolist()], self.area)


def risk_coverage(confidence: NDArray[np.float32], is_right: NDArray[np.bool_]) -> RiskCoverage:
    """The curve of some texts.

    :param confidence: of each text's answer, ``[n_texts]``.
    :param is_right: whether that answer is right, ``[n_texts]``.
    """
    order = np.argsort(-confidence, kind="stable")
    values, n_right = confidence[order].astype(np.float64), np.cumsum(is_right[order])
    last = np.flatnonzero(np.append(np.diff(values) != 0, True))  # equal ones are answered together
    n_answered = last + 1
    risk, coverage = 1 - n_right[last] / n_answered, n_answered / len(values)
    area = float((risk * np.diff(coverage, prepend=0)).sum())
    between = np.append((values[last][:-1] + values[last][1:]) / 2, 0.0)  # an answer to all texts needs no confidence
    points = zip(between.tolist(), coverage.tolist(), risk.tolist(), strict=True)
    return RiskCoverage([RiskPoint(*point) for point in points], area)


def reach_precision(curve: RiskCoverage, precision: float) -> RiskPoint:
    """The point of the largest coverage at which this share of answers is right.

    :raises PotstillError: when none has it.
    """
    reached = [point for point in curve.points if 1 - point.risk >= precision]
    if not reached:
        best = min(curve.points, key=lambda point: point.risk)
        raise PotstillError(
            f"--precision={precision:g}: no confidence reaches it: the best is {1 - best.risk:.4f}, on "
            f"{100 * best.coverage:.1f}% of the texts: give a lower one, or a better model"
        )
    return reached[-1]


def reach_coverage(curve: RiskCoverage, coverage: float) -> RiskPoint:
    """The point of the smallest coverage that is at least this one."""
    return next(point for point in curve.points if point.coverage >= coverage)


def reach_false_positives(curve: RiskCoverage, unknown: NDArray[np.float32], share: float) -> RiskPoint:
    """The point of the largest coverage at which no more than a share of out-of-scope texts get an answer.

    :param unknown: the confidences of the out-of-scope texts, ``[n_unknown]``.
    :raises PotstillError: when none has so few.
    """
    reached = [point for point in curve.points if (unknown >= point.at_least).mean() <= share]
    if not reached:
        least = float((unknown >= curve.points[0].at_least).mean())
        raise PotstillError(
            f"--false_positives={share:g}: no confidence reaches it: even the highest lets {100 * least:.1f}% of the "
            f"unknown texts through: give a larger share"
        )
    return reached[-1]
