"""Calibrated probabilities, and the thresholds of labels, fitted on texts that a model was not trained on.

One temperature for all logits (Guo et al. 2017, https://arxiv.org/abs/1706.04599) where a text has one label; one a
label, and a threshold, where it may have several.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.artifacts import TEMPERATURE, THRESHOLDS
from potstill.tasks import Task, Temperature

_BINS = 15
_RANGE = np.log((0.01, 100.0))  # of the temperature: where the model is right on every text, the best one is zero
_FEW = 10  # texts of valid that have a label: with fewer the best F1 says more of these texts than of the label


@dataclass(frozen=True)
class Calibration:
    """What makes a model's logits probabilities and decisions.

    :param temperature: of all logits, or of each label's, ``[n_labels]``.
    :param thresholds: of each label, where a text may have several; else none.
    """

    temperature: Temperature
    thresholds: tuple[float, ...] = ()

    def task(self, task: Task) -> Task:
        """The task with the thresholds."""
        return task.with_thresholds(self.thresholds) if self.thresholds else task

    def figures(self, logits: NDArray[Any], gold: NDArray[Any], task: Task) -> dict[str, float]:
        """The figures of some texts, see :meth:`~potstill.tasks.Task.figures`."""
        return self.task(task).figures(task.probabilities(logits, self.temperature), gold)

    def fields(self) -> dict[str, Any]:
        """The same as fields of ``config.json``."""
        temperature = np.round(self.temperature, 4).tolist()
        thresholds = {THRESHOLDS: [round(value, 4) for value in self.thresholds]} if self.thresholds else {}
        return {TEMPERATURE: temperature, **thresholds}


def calibrate(logits: NDArray[Any], gold: NDArray[Any], task: Task) -> Calibration:
    """Fit temperatures, and the thresholds that the task's labels need.

    :param logits: ``[n_texts, n_labels]``, of texts that the model was not trained on.
    :param gold: as the task encodes them.
    """
    temperature = fit_temperature(logits, gold, task)
    if not task.takes_several:
        return Calibration(temperature)
    return Calibration(temperature, fit_thresholds(task.probabilities(logits, temperature), gold))


def fit_temperature(logits: NDArray[Any], gold: NDArray[Any], task: Task) -> Temperature:
    """The temperature that makes the gold labels most likely: the logits of a distilled model are not calibrated.

    :param logits: ``[n_texts, n_labels]``, of texts that the model was not trained on.
    :param gold: as the task encodes them.
    :return: one for all labels, or where a text may have several one a label, ``[n_labels]``.
    """
    if not task.takes_several:
        return _fit_temperature(logits, gold, task)
    columns = range(logits.shape[1])
    return np.array([_fit_temperature(logits[:, [label]], gold[:, [label]], task) for label in columns])


def _fit_temperature(logits: NDArray[Any], gold: NDArray[Any], task: Task) -> float:
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return task.log_loss(logits, gold, float(np.exp(log_temperature)))

    return float(np.exp(minimize_scalar(loss, bounds=_RANGE, method="bounded").x))


def fit_thresholds(probabilities: NDArray[Any], gold: NDArray[Any]) -> tuple[float, ...]:
    """The probability from which on a text should have each label: that with the best F1.

    A label of few texts is given to as many texts as have it; one of none has what is best for all labels together.

    :param probabilities: ``[n_texts, n_labels]``.
    :param gold: 1 for each label of a text, else 0, ``[n_texts, n_labels]``.
    """
    is_gold = gold > 0
    common = _best_threshold(probabilities.ravel(), is_gold.ravel())
    thresholds = []
    for label in range(gold.shape[1]):
        n_texts = int(is_gold[:, label].sum())
        if n_texts >= _FEW:
            thresholds.append(_best_threshold(probabilities[:, label], is_gold[:, label]))
        else:
            thresholds.append(_threshold_of(probabilities[:, label], n_texts) if n_texts else common)
    return tuple(thresholds)


def _threshold_of(probabilities: NDArray[Any], n_texts: int) -> float:
    """The threshold that so many texts reach."""
    values = np.append(np.sort(probabilities.astype(np.float64))[::-1], 0.0)
    return float((values[n_texts - 1] + values[n_texts]) / 2)


def _best_threshold(probabilities: NDArray[Any], is_gold: NDArray[np.bool_]) -> float:
    """Between the two neighbouring probabilities where F1 is best; one half where no text has the label."""
    if not is_gold.any():
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    values, hits = probabilities[order].astype(np.float64), np.cumsum(is_gold[order])
    f1 = 2 * hits / (np.arange(1, len(values) + 1) + is_gold.sum())
    f1[:-1][values[:-1] == values[1:]] = 0.0  # no threshold is between equal ones
    best = int(f1.argmax())
    return float((values[best] + (values[best + 1] if best + 1 < len(values) else 0.0)) / 2)


def refinement_loss(logits: NDArray[Any], gold: NDArray[Any], task: Task) -> float:
    """The cross-entropy without the cost of overconfidence, which a temperature fixes after training.

    This is the refinement of Berta et al. 2025, https://arxiv.org/abs/2501.19195, except that underconfidence is not
    taken out: a model that is never wrong would have no loss at all.

    :param logits: ``[n_texts, n_labels]``, of texts that the model was not trained on.
    :param gold: as the task encodes them.
    """
    return task.log_loss(logits, gold, np.maximum(1.0, fit_temperature(logits, gold, task)))


def calibration_error(probabilities: NDArray[Any], is_so: NDArray[np.bool_]) -> float:
    """The expected calibration error: how far probabilities are from how often they come true, on average, in bins of
    equal width.

    :param probabilities: ``[n]``, such as those of each text's decision.
    :param is_so: whether what each is of is so, ``[n]``.
    """
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, probabilities - is_so, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(is_so))
