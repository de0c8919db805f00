"""Several labels a text, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from potstill.tasks.base import NO_LABEL, Label, Temperature

if TYPE_CHECKING:
    from torch import Tensor

_UNDECIDED = 0.5


@dataclass(frozen=True)
class MultiLabel:
    """Each label is there or not, whatever the others: a sigmoid, and a threshold a label.

    :param thresholds: of each label, the probability from which on a text has it; none: one half for all.
    """

    thresholds: tuple[float, ...] = ()

    problem_type = "multi_label_classification"
    accuracy_name = "exact match"
    default_measure: ClassVar[Literal["accuracy", "macro_f1"]] = "macro_f1"
    takes_several = True

    def encode(self, labels: Sequence[Label], names: Sequence[str]) -> NDArray[np.float32]:
        """1 for each label of a text and 0 for the others, float32 ``[n_texts, n_labels]``."""
        ids = {name: index for index, name in enumerate(names)}
        gold = np.zeros((len(labels), len(names)), dtype=np.float32)
        for row, label in enumerate(labels):
            gold[row, [ids[name] for name in label]] = 1
        return gold

    def no_gold(self, n_texts: int, n_labels: int) -> NDArray[np.float32]:
        """:data:`NO_LABEL` everywhere, float32 ``[n_texts, n_labels]``."""
        return np.full((n_texts, n_labels), NO_LABEL, dtype=np.float32)

    def decode(self, decisions: NDArray[Any], names: NDArray[np.object_]) -> NDArray[np.object_]:
        """The labels of each text, a tuple, object ``[n_texts]``."""
        labels = np.empty(len(decisions), dtype=object)
        for row, decided in enumerate(decisions):
            labels[row] = tuple(names[np.flatnonzero(decided)])
        return labels

    def decide(self, logits: NDArray[Any], temperature: Temperature = 1.0) -> NDArray[np.bool_]:
        """Which labels each text has, bool ``[n_texts, n_labels]``."""
        return self.decide_from_probabilities(self.probabilities(logits, temperature))

    def decide_from_probabilities(self, probabilities: NDArray[Any]) -> NDArray[np.bool_]:
        """The labels whose probability reaches their threshold, bool ``[n_texts, n_labels]``."""
        decisions: NDArray[np.bool_] = probabilities >= np.array(self.thresholds or _UNDECIDED, dtype=np.float32)
        return decisions

    def answers(
        self, probabilities: NDArray[Any], names: NDArray[np.object_], at_least: float = 0.0
    ) -> NDArray[np.object_]:
        """The labels whose probability reaches their threshold and that number, object ``[n_texts]``."""
        return self.decode(self.decide_from_probabilities(probabilities) & (probabilities >= at_least), names)

    def as_gold(self, decisions: NDArray[Any]) -> NDArray[np.float32]:
        """1 for each label and 0 for the others, float32 ``[n_texts, n_labels]``."""
        return decisions.astype(np.float32)

    def is_right(self, decisions: NDArray[Any], gold: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each text has its gold labels and no other, ``[n_texts]``."""
        right: NDArray[np.bool_] = (decisions == (gold > 0)).all(axis=1)
        return right

    def probabilities(self, logits: NDArray[np.float32], temperature: Temperature = 1.0) -> NDArray[np.float32]:
        """The sigmoid of the logits over the temperature, float32 ``[n_texts, n_labels]``."""
        return (0.5 + 0.5 * np.tanh(logits / temperature / 2)).astype(np.float32)  # exp would overflow

    def confidence(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probability that all labels are decided right, as if they did not depend on each other, ``[n_texts]``."""
        decided = self.decide_from_probabilities(probabilities)
        confidence: NDArray[np.float32] = np.where(decided, probabilities, 1 - probabilities).prod(axis=1)
        return confidence

    def entropy(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of the labels' entropies in bits, ``[n_texts]``."""
        values = logits.astype(np.float64)
        probabilities = 0.5 + 0.5 * np.tanh(values / 2)
        # -p log p - (1 - p) log(1 - p), of logits: log p = -log(1 + exp(-x))
        nats = probabilities * np.logaddexp(0, -values) + (1 - probabilities) * np.logaddexp(0, values)
        bits: NDArray[np.float64] = nats.sum(axis=1) / np.log(2)
        return bits

    def figures(self, probabilities: NDArray[Any], gold: NDArray[Any]) -> dict[str, float]:
        """Exact match, macro and micro F1, and the mean of the labels' average precision.

        Macro F1 and average precision are over the labels that occur.
        """
        is_gold, decided = gold > 0, self.decide_from_probabilities(probabilities)
        right, either = (is_gold & decided).sum(axis=0), is_gold.sum(axis=0) + decided.sum(axis=0)
        f1 = 2 * right / np.maximum(either, 1)
        occurs = is_gold.any(axis=0)
        return {
            "accuracy": float(self.is_right(decided, gold).mean()),
            "macro_f1": float(f1[either > 0].mean()) if (either > 0).any() else 0.0,
            "micro_f1": float(2 * right.sum() / max(1, either.sum())),
            "average_precision": float(np.mean([
                _average_precision(probabilities[:, label], is_gold[:, label]) for label in np.flatnonzero(occurs)
            ])) if occurs.any() else 0.0,
        }  # fmt: skip

    def outcomes(self, probabilities: NDArray[Any], gold: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Of each text and label the probability, and whether the text has the label."""
        return probabilities.ravel(), gold.ravel() > 0

    def log_loss(self, logits: NDArray[Any], gold: NDArray[Any], temperature: Temperature = 1.0) -> float:
        """The mean binary cross-entropy over texts and labels."""
        scaled = logits.astype(np.float64) / temperature
        return float((np.logaddexp(0, scaled) - scaled * gold).mean())

    def with_thresholds(self, thresholds: Sequence[float]) -> Self:
        """The task with these thresholds."""
        return type(self)(tuple(thresholds))

    def first_logits(self, gold: NDArray[Any]) -> NDArray[np.float32] | None:
        """The logits of the labels' shares, float32 ``[n_labels]``; None where no gold label is known.

        From one half for every label, hundreds of steps go into learning that most labels are rare.
        """
        known = gold[gold[:, 0] != NO_LABEL]
        if not len(known):
            return None
        shares = (known.sum(axis=0) + 1) / (len(known) + 2)
        logits: NDArray[np.float32] = np.log(shares / (1 - shares)).astype(np.float32)
        return logits

    def label_weights(self, gold: NDArray[Any], n_labels: int, power: float) -> NDArray[np.float32]:
        """The weight of a text that has a label, in that label's loss, float32 ``[n_labels]``: at least 1."""
        is_known = gold[:, 0] != NO_LABEL
        counts = np.maximum(gold[is_known].sum(axis=0), 1)
        weights: NDArray[np.float32] = (np.maximum((is_known.sum() - counts) / counts, 1) ** power).astype(np.float32)
        return weights

    def text_weights(self, gold: NDArray[Any], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """The weight of each text's rarest label, float32 ``[n_texts]``; 1 where it has none."""
        by_text: NDArray[np.float32] = np.maximum((gold * weights).max(axis=1), 1)
        return by_text

    def gold_loss(self, logits: "Tensor", gold: "Tensor", weights: "Tensor | None" = None) -> "Tensor":
        """The binary cross-entropy on gold labels.

        :param logits: ``[batch, n_labels]``.
        :param gold: ``[batch, n_labels]``; the texts with :data:`NO_LABEL` do not count.
        :param weights: of texts that have a label, ``[n_labels]``.
        :return: a scalar; 0 where no text counts.
        """
        from torch.nn import functional

        is_known = (gold != NO_LABEL).to(logits.dtype)
        total = functional.binary_cross_entropy_with_logits(
            logits, gold.clamp(min=0).to(logits.dtype), is_known, pos_weight=weights, reduction="sum"
        )
        return total / is_known.sum().clamp(min=1)

    def divergence(
        self, logits: "Tensor", teacher_logits: "Tensor", temperature: float, weights: "Tensor | None" = None
    ) -> "Tensor":
        """The Kullback-Leibler divergence of each label's probability, the mean over the labels, times the temperature
        squared.

        :param logits: ``[batch, n_labels]``.
        :param teacher_logits: ``[batch, n_labels]``.
        :param weights: of texts that have a label, ``[n_labels]``.
        :return: a scalar.
        """
        from torch.nn import functional

        student, teacher = logits / temperature, teacher_logits / temperature
        wanted = teacher.sigmoid()
        # Not pos_weight, with which the least loss would be at other probabilities than the teacher's.
        element_weights = None if weights is None else self.soft_weights(teacher_logits, weights)
        loss, least = (
            functional.binary_cross_entropy_with_logits(values, wanted, element_weights)
            for values in (student, teacher)
        )
        return (loss - least) * temperature**2

    def soft_weights(self, teacher_logits: "Tensor", weights: "Tensor") -> "Tensor":
        """The weight of each text in each label's loss, ``[batch, n_labels]``, by the teacher's probabilities."""
        return 1 + (weights - 1) * teacher_logits.sigmoid()


def _average_precision(probabilities: NDArray[Any], is_gold: NDArray[np.bool_]) -> float:
    """The mean of the precision at each text that has the label, the likeliest first; equal ones count together."""
    order = np.argsort(-probabilities, kind="stable")
    values, hits = probabilities[order], np.cumsum(is_gold[order])
    last = np.flatnonzero(np.append(np.diff(values) != 0, True))  # the last of equal ones
    precision, found = hits[last] / (last + 1), np.diff(hits[last], prepend=0)
    return float((precision * found).sum() / is_gold.sum())
