"""The risk-coverage curve, and thresholds of confidence on it."""

import numpy as np
import pytest

from potstill.errors import PotstillError
from potstill.evaluation.risk import reach_coverage, reach_false_positives, reach_precision, risk_coverage

CONFIDENCE = np.array([0.9, 0.6, 0.8, 0.6, 0.3], dtype=np.float32)
IS_RIGHT = np.array([True, True, False, False, False])


def test_the_curve_answers_the_most_confident_first_and_equal_ones_together() -> None:
    curve = risk_coverage(CONFIDENCE, IS_RIGHT)
    assert [point.coverage for point in curve.points] == [0.2, 0.4, 0.8, 1.0]
    assert [point.risk for point in curve.points] == pytest.approx([0, 0.5, 0.5, 0.6])
    assert [point.at_least for point in curve.points] == pytest.approx([0.85, 0.7, 0.45, 0.0])
    assert curve.area == pytest.approx(0.2 * 0 + 0.2 * 0.5 + 0.4 * 0.5 + 0.2 * 0.6)
    assert curve.thinned(2).points == [curve.points[0], curve.points[-1]]


def test_a_point_is_what_its_threshold_gives() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.random(500).astype(np.float32)
    is_right = generator.random(500) < confidence
    for point in risk_coverage(confidence, is_right).points:
        answered = confidence >= point.at_least
        assert answered.mean() == pytest.approx(point.coverage)
        assert is_right[answered].mean() == pytest.approx(1 - point.risk)


def test_the_threshold_of_a_precision_of_a_coverage_and_of_false_positives() -> None:
    curve = risk_coverage(CONFIDENCE, IS_RIGHT)
    assert reach_precision(curve, 0.5).coverage == 0.8  # the largest coverage that has it
    assert reach_precision(curve, 0.9).coverage == 0.2
    assert reach_coverage(curve, 0.5).coverage == 0.8
    unknown = np.array([0.5, 0.75, 0.1, 0.2], dtype=np.float32)
    assert reach_false_positives(curve, unknown, 0.25).at_least == pytest.approx(0.7)
    assert reach_false_positives(curve, unknown, 0.0).at_least == pytest.approx(0.85)


def test_what_nothing_reaches_is_told_with_the_best() -> None:
    curve = risk_coverage(CONFIDENCE, np.array([False, True, False, True, True]))
    with pytest.raises(PotstillError, match=r"--precision=0\.9: no confidence reaches it: the best is 0\.6000, on 100"):
        reach_precision(curve, 0.9)
    with pytest.raises(PotstillError, match=r"--false_positives=0\.1: .* lets 50\.0% of the unknown texts through"):
        reach_false_positives(curve, np.array([0.99, 0.1]), 0.1)
