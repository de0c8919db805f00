"""Probabilities that mean something: one temperature for all logits (Guo et al. 2017),
https://arxiv.org/abs/1706.04599."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BINS = 15
_RANGE = np.log((0.01, 100.0))  # of the temperature: where the model is right on every text, the best is zero


def fit_temperature(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """What the logits are to be divided by, so that the labels are as likely as can be.

    :param logits: ``[texts, labels]``, of texts that the model was not trained on.
    :param labels: label ids ``[texts]``.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return _cross_entropy(logits, labels, np.exp(log_temperature))

    return float(np.exp(minimize_scalar(loss, bounds=_RANGE, method="bounded").x))


def refinement_loss(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The cross-entropy, less what it costs to be too sure everywhere: that a temperature fixes after training.

    What is left is the refinement of Berta et al. 2025, https://arxiv.org/abs/2501.19195, but that a model which is too
    unsure is not helped: one that is never wrong would have no loss at all.

    :param logits: ``[texts, labels]``, of texts that the model was not trained on.
    :param labels: label ids ``[texts]``.
    """
    return _cross_entropy(logits, labels, max(1.0, fit_temperature(logits, labels)))


def _cross_entropy(logits: NDArray[Any], labels: NDArray[np.int64], temperature: float) -> float:
    scaled = logits.astype(np.float64) / temperature
    return float((np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(labels)), labels]).mean())


def calibration_error(probabilities: NDArray[Any], right: NDArray[np.bool_]) -> float:
    """The expected calibration error: how far confidence is from accuracy, on average, in bins of equal confidence.

    :param probabilities: of each text's likeliest label, ``[texts]``.
    :param right: whether that label is right, ``[texts]``.
    """
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, probabilities - right, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(right))
