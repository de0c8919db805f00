"""The kinds of classification: how logits become decisions and probabilities, the losses, and the figures on valid.

A task is one entry of :data:`TASKS`, under its name in Hugging Face's ``problem_type``. No other
module makes decisions or probabilities of logits. Owns no model and no file.
"""

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from potstill.errors import PotstillError

if TYPE_CHECKING:
    from torch import Tensor

NO_LABEL = -100  # the label id of a text without a gold label; torch's cross-entropy leaves it out


class Task(Protocol):
    """One kind of classification. Logits and probabilities are ``[n_texts, n_labels]`` everywhere."""

    accuracy_name: str
    """What the share of right decisions is called in this task."""

    def decide(self, logits: NDArray[Any]) -> NDArray[np.int64]:
        """The label id of each text's decision, int64 ``[n_texts]``."""

    def decide_from_probabilities(self, probabilities: NDArray[Any]) -> NDArray[np.int64]:
        """The same from :meth:`probabilities`."""

    def probabilities(self, logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
        """The probability of each label, float32 ``[n_texts, n_labels]``."""

    def confidence(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probability of each text's decision, float32 ``[n_texts]``."""

    def entropy(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """The entropy of each text's probabilities in bits, ``[n_texts]``."""

    def accuracy(self, logits: NDArray[Any], label_ids: NDArray[np.int64]) -> float:
        """The share of right decisions."""

    def log_loss(self, logits: NDArray[Any], label_ids: NDArray[np.int64], temperature: float = 1.0) -> float:
        """The mean negative log-likelihood of the gold labels."""

    def gold_loss(self, logits: "Tensor", label_ids: "Tensor") -> "Tensor":
        """The training loss on gold labels, a scalar; texts with :data:`NO_LABEL` do not count."""

    def divergence(self, logits: "Tensor", teacher_logits: "Tensor", temperature: float) -> "Tensor":
        """The training loss that compares the student's probabilities with the teacher's, a scalar."""


class SingleLabel:
    """Exactly one label a text: softmax, and the likeliest label."""

    accuracy_name = "accuracy"

    def decide(self, logits: NDArray[Any]) -> NDArray[np.int64]:
        """The label of the largest logit, int64 ``[n_texts]``."""
        label_ids: NDArray[np.int64] = logits.argmax(axis=1)
        return label_ids

    def decide_from_probabilities(self, probabilities: NDArray[Any]) -> NDArray[np.int64]:
        """The likeliest label, int64 ``[n_texts]``."""
        return self.decide(probabilities)

    def probabilities(self, logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
        """The softmax of the logits over the temperature, float32 ``[n_texts, n_labels]``."""
        scaled = logits / temperature
        exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float32] = exponents / exponents.sum(axis=1, keepdims=True)
        return probabilities

    def confidence(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probability of the likeliest label, float32 ``[n_texts]``."""
        confidence: NDArray[np.float32] = probabilities.max(axis=1)
        return confidence

    def entropy(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """The entropy of the labels' probabilities in bits, ``[n_texts]``: 1 is undecided between two labels."""
        shifted = logits - logits.max(axis=1, keepdims=True).astype(np.float64)
        log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        bits: NDArray[np.float64] = -(np.exp(log_probs) * log_probs).sum(axis=1) / np.log(2)
        return bits

    def accuracy(self, logits: NDArray[Any], label_ids: NDArray[np.int64]) -> float:
        """The share of texts whose likeliest label is the gold one."""
        return float(np.mean(self.decide(logits) == label_ids))

    def log_loss(self, logits: NDArray[Any], label_ids: NDArray[np.int64], temperature: float = 1.0) -> float:
        """The mean cross-entropy on the gold labels."""
        scaled = logits.astype(np.float64) / temperature
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(label_ids)), label_ids]).mean())

    def gold_loss(self, logits: "Tensor", label_ids: "Tensor") -> "Tensor":
        """The cross-entropy on gold labels.

        :param logits: ``[batch, n_labels]``.
        :param label_ids: ``[batch]``; the texts with :data:`NO_LABEL` do not count.
        :return: a scalar; 0 where no text counts.
        """
        from torch.nn import functional

        total = functional.cross_entropy(logits, label_ids, ignore_index=NO_LABEL, reduction="sum")
        return total / (label_ids != NO_LABEL).sum().clamp(min=1)

    def divergence(self, logits: "Tensor", teacher_logits: "Tensor", temperature: float) -> "Tensor":
        """The Kullback-Leibler divergence of the teacher's softened probabilities from the student's, times the
        temperature squared, which keeps the gradients' size (Hinton et al. 2015, https://arxiv.org/abs/1503.02531).

        :param logits: ``[batch, n_labels]``.
        :param teacher_logits: ``[batch, n_labels]``.
        :return: a scalar.
        """
        from torch.nn import functional

        student, teacher = (functional.log_softmax(values / temperature, dim=1) for values in (logits, teacher_logits))
        return functional.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2


SINGLE_LABEL: Final = "single_label_classification"

TASKS: dict[str, Task] = {SINGLE_LABEL: SingleLabel()}


def find_task(problem_type: object = None, source: object = "config.json") -> Task:
    """The task of a model.

    :param problem_type: as its ``config.json`` has it; None, as in most configurations: one label a text.
    :param source: the model, to name in an error.
    :raises PotstillError: when there is no such task.
    """
    name = SINGLE_LABEL if problem_type is None else problem_type
    if not isinstance(name, str) or name not in TASKS:  # a damaged config.json may have anything
        known = " or ".join(TASKS)
        raise PotstillError(f"{source}: its problem_type is '{name}', which is not supported: give a model of {known}")
    return TASKS[name]
