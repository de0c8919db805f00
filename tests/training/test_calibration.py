"""Calibration: the temperature that makes labels likeliest, and how far confidence is from accuracy."""

import numpy as np
import pytest

from potstill.tasks import MultiLabel, SingleLabel
from potstill.training.calibration import (
    calibrate,
    calibration_error,
    fit_temperature,
    fit_thresholds,
    refinement_loss,
)


def sampled(temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are too large by a factor, and labels sampled from the probabilities they should have."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(20_000, 3)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (generator.random((20_000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    return (logits * temperature).astype(np.float32), labels


@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0])
def test_the_temperature_that_logits_are_too_large_by_is_found(temperature: float) -> None:
    assert fit_temperature(*sampled(temperature), SingleLabel()) == pytest.approx(temperature, rel=0.05)


def test_a_model_that_is_never_wrong_still_gets_a_finite_temperature() -> None:
    labels = np.array([0, 1, 0])
    assert 0 < fit_temperature(np.eye(2, dtype=np.float32)[labels], labels, SingleLabel()) < 1


def test_overconfidence_costs_nothing_and_underconfidence_does() -> None:
    calibrated, overconfident, underconfident = (
        refinement_loss(*sampled(temperature), SingleLabel()) for temperature in (1.0, 4.0, 0.25)
    )
    assert overconfident == pytest.approx(calibrated, rel=1e-3)
    assert underconfident > calibrated * 1.1


def test_the_error_is_the_gap_between_confidence_and_accuracy() -> None:
    right = np.array([True, False] * 50)
    assert calibration_error(np.full(100, 0.5), right) == pytest.approx(0)
    assert calibration_error(np.full(100, 0.9), right) == pytest.approx(0.4)
    assert calibration_error(np.ones(100), right) == pytest.approx(0.5)


def test_gaps_of_different_bins_do_not_cancel() -> None:
    confidence = np.repeat([0.9, 0.6], 100)
    right = np.concatenate([np.arange(100) < 80, np.arange(100) < 70])
    assert calibration_error(confidence, right) == pytest.approx(0.1)


def test_each_of_several_labels_has_its_own_temperature_and_threshold() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(20_000, 2)) * 2 - np.array([0, 3])
    gold = (generator.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    sharpened = (logits * np.array([0.5, 3])).astype(np.float32)
    calibration = calibrate(sharpened, gold, MultiLabel())
    np.testing.assert_allclose(calibration.temperature, [0.5, 3], rtol=0.05)
    assert set(calibration.fields()) == {"calibration_temperature", "label_thresholds"}
    at_one_half = MultiLabel().figures(MultiLabel().probabilities(sharpened, calibration.temperature), gold)
    assert calibration.figures(sharpened, gold, MultiLabel())["macro_f1"] > at_one_half["macro_f1"]


def test_the_threshold_of_a_label_is_where_f1_is_best() -> None:
    probabilities = np.linspace(0, 1, 40)[:, None]
    gold = (probabilities > 0.25).astype(np.float32)
    assert fit_thresholds(probabilities, gold)[0] == pytest.approx(0.25, abs=0.02)
    both = np.concatenate([gold, probabilities == probabilities[20]], axis=1)  # of one text, which is not the likeliest
    own, rare = fit_thresholds(np.concatenate([probabilities, probabilities], axis=1), both)
    assert own == pytest.approx(0.25, abs=0.02)
    assert (probabilities >= rare).sum() == 1  # as many texts as have the label
    neither = np.concatenate([gold, np.zeros_like(gold)], axis=1)
    own, common = fit_thresholds(np.concatenate([probabilities, probabilities], axis=1), neither)
    assert own == pytest.approx(0.25, abs=0.02) and 0.2 < common < 1
    assert fit_thresholds(probabilities, np.zeros_like(gold)) == (0.5,)
