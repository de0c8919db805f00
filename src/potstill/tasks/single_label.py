"""One label a text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from potstill.tasks.base import NO_LABEL, Label, Temperature

if TYPE_CHECKING:
    from torch import Tensor


class SingleLabel:
    """Exactly one label a text: softmax, and the likeliest label."""

    problem_type = "single_label_classification"
    accuracy_name = "accuracy"
    default_measure: ClassVar[Literal["accuracy", "macro_f1"]] = "accuracy"
    takes_several = False

    def encode(self, labels: Sequence[Label], names: Sequence[str]) -> NDArray[np.int64]:
        """The labels' ids, int64 ``[n_texts]``."""
        ids = {name: index for index, name in enumerate(names)}
        return np.array([ids[str(label)] for label in labels], dtype=np.int64)

    def no_gold(self, n_texts: int, n_labels: int) -> NDArray[np.int64]:
        """:data:`NO_LABEL` for each text, int64 ``[n_texts]``."""
        return np.full(n_texts, NO_LABEL, dtype=np.int64)

    def decode(self, decisions: NDArray[Any], names: NDArray[np.object_]) -> NDArray[np.object_]:
        """The names of label ids, object ``[n_texts]``."""
        labels: NDArray[np.object_] = names[decisions]
        return labels

    def decide(self, logits: NDArray[Any], temperature: Temperature = 1.0) -> NDArray[np.int64]:
        """The label of the largest logit, int64 ``[n_texts]``; no temperature changes it."""
        decisions: NDArray[np.int64] = logits.argmax(axis=1)
        return decisions

    def decide_from_probabilities(self, probabilities: NDArray[Any]) -> NDArray[np.int64]:
        """The likeliest label, int64 ``[n_texts]``."""
        return self.decide(probabilities)

    def answers(
        self, probabilities: NDArray[Any], names: NDArray[np.object_], at_least: float = 0.0
    ) -> NDArray[np.object_]:
        """The likeliest label, or None where it is less likely than that, object ``[n_texts]``."""
        labels = self.decode(self.decide(probabilities), names)
        labels[self.confidence(probabilities) < at_least] = None
        return labels

    def as_gold(self, decisions: NDArray[Any]) -> NDArray[np.int64]:
        """The same label ids."""
        return decisions

    def is_right(self, decisions: NDArray[Any], gold: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each label is the gold one, ``[n_texts]``."""
        right: NDArray[np.bool_] = decisions == gold
        return right

    def probabilities(self, logits: NDArray[np.float32], temperature: Temperature = 1.0) -> NDArray[np.float32]:
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

    def figures(self, probabilities: NDArray[Any], gold: NDArray[Any]) -> dict[str, float]:
        """The share of right labels, and the mean F1 of the labels that occur."""
        decisions, n_labels = self.decide(probabilities), probabilities.shape[1]
        right = np.bincount(gold[decisions == gold], minlength=n_labels)
        either = np.bincount(gold, minlength=n_labels) + np.bincount(decisions, minlength=n_labels)
        f1 = 2 * right[either > 0] / either[either > 0]
        return {"accuracy": float(right.sum() / max(1, len(gold))), "macro_f1": float(f1.mean())}

    def outcomes(self, probabilities: NDArray[Any], gold: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """The probability of each text's label, and whether it is the gold one."""
        return self.confidence(probabilities), self.is_right(self.decide(probabilities), gold)

    def log_loss(self, logits: NDArray[Any], gold: NDArray[Any], temperature: Temperature = 1.0) -> float:
        """The mean cross-entropy on the gold labels."""
        scaled = logits.astype(np.float64) / temperature
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(gold)), gold]).mean())

    def with_thresholds(self, thresholds: Sequence[float]) -> Self:
        """Refused: the likeliest label needs no threshold."""
        raise ValueError("thresholds, where a text has one label")

    def first_logits(self, gold: NDArray[Any]) -> None:
        """None: labels that are all as likely are a good start."""

    def label_weights(self, gold: NDArray[Any], n_labels: int, power: float) -> NDArray[np.float32]:
        """The weight of each label in the losses, float32 ``[n_labels]``; over the texts their mean is 1."""
        counts = np.bincount(gold[gold != NO_LABEL], minlength=n_labels)
        weights = np.maximum(counts, 1.0) ** -power
        mean = (weights * counts).sum() / max(1, counts.sum())
        scaled: NDArray[np.float32] = (weights / mean).astype(np.float32)
        return scaled

    def text_weights(self, gold: NDArray[Any], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """The weight of each text's label, float32 ``[n_texts]``."""
        by_text: NDArray[np.float32] = weights[gold]
        return by_text

    def gold_loss(self, logits: "Tensor", gold: "Tensor", weights: "Tensor | None" = None) -> "Tensor":
        """The cross-entropy on gold labels.

        :param logits: ``[batch, n_labels]``.
        :param gold: ``[batch]``; the texts with :data:`NO_LABEL` do not count.
        :param weights: of the labels, ``[n_labels]``.
        :return: a scalar; 0 where no text counts.
        """
        from torch.nn import functional

        total = functional.cross_entropy(logits, gold, weights, ignore_index=NO_LABEL, reduction="sum")
        return total / (gold != NO_LABEL).sum().clamp(min=1)

    def divergence(
        self, logits: "Tensor", teacher_logits: "Tensor", temperature: float, weights: "Tensor | None" = None
    ) -> "Tensor":
        """The Kullback-Leibler divergence of the teacher's softened probabilities from the student's, times the
        temperature squared, which keeps the gradients' size (Hinton et al. 2015, https://arxiv.org/abs/1503.02531).

        :param logits: ``[batch, n_labels]``.
        :param teacher_logits: ``[batch, n_labels]``.
        :param weights: of the labels, ``[n_labels]``: a text has the mean of them by the teacher's probabilities.
        :return: a scalar.
        """
        from torch.nn import functional

        student, teacher = (functional.log_softmax(values / temperature, dim=1) for values in (logits, teacher_logits))
        if weights is None:
            return functional.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2
        by_text = functional.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=1)
        return (by_text * self.soft_weights(teacher_logits, weights)).mean() * temperature**2

    def soft_weights(self, teacher_logits: "Tensor", weights: "Tensor") -> "Tensor":
        """The weight of each text, ``[batch]``: the mean of its labels' weights by the teacher's probabilities."""
        from torch.nn import functional

        return functional.softmax(teacher_logits, dim=1) @ weights
