"""Calibrated probabilities: one temperature for all logits (Guo et al. 2017), https://arxiv.org/abs/1706.04599."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.tasks import Task

_BINS = 15
_RANGE = np.log((0.01, 100.0))  # of the temperature: where the model is right on every text, the best one is zero


def fit_temperature(logits: NDArray[Any], label_ids: NDArray[np.int64], task: Task) -> float:
    """The temperature that makes the gold labels most likely: the logits of a distilled model are not calibrated.

    :param logits: ``[n_texts, n_labels]``, of texts that the model was not trained on.
    :param label_ids: ``[n_texts]``.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return task.log_loss(logits, label_ids, np.exp(log_temperature))

    return float(np.exp(minimize_scalar(loss, bounds=_RANGE, method="bounded").x))


def refinement_loss(logits: NDArray[Any], label_ids: NDArray[np.int64], task: Task) -> float:
    """The cross-entropy without the cost of overconfidence, which a temperature fixes after training.

    This is the refinement of Berta et al. 2025, https://arxiv.org/abs/2501.19195, except that underconfidence is not
    taken out: a model that is never wrong would have no loss at all.

    :param logits: ``[n_texts, n_labels]``, of texts that the model was not trained on.
    :param label_ids: ``[n_texts]``.
    """
    return task.log_loss(logits, label_ids, max(1.0, fit_temperature(logits, label_ids, task)))


def calibration_error(confidence: NDArray[Any], correct: NDArray[np.bool_]) -> float:
    """The expected calibration error: how far confidence is from accuracy, on average, in bins of equal confidence.

    :param confidence: the probability of each text's decision, ``[n_texts]``.
    :param correct: whether that decision is right, ``[n_texts]``.
    """
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, confidence - correct, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(correct))
