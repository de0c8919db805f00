"""Which of a teacher's answers a student learns, and as what: its logits, or its labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potstill.errors import PotstillError


@dataclass(frozen=True)
class SoftLabelFilter:
    """What of a teacher's logits is learnt."""

    entropy_threshold: float = -1.0
    """Leave out texts that the teacher is not sure of: its probabilities have a larger entropy, in bits (0: sure, 1:
    undecided between two labels). Below 0: all texts stay."""
    hard_labeling: bool = False
    """Take the teacher's likeliest label of each text in the place of its logits."""

    def chosen(self, logits: NDArray[np.float32]) -> NDArray[np.int64]:
        """The rows of the texts that are learnt.

        :param logits: ``[n_texts, n_labels]``.
        """
        if self.entropy_threshold < 0:
            return np.arange(len(logits))
        return np.flatnonzero(entropy(logits) <= self.entropy_threshold)

    def check_some(self, n_texts: int) -> None:
        """Check that texts are left.

        :raises PotstillError: when there is none.
        """
        if not n_texts:
            raise PotstillError(
                f"--entropy_threshold={self.entropy_threshold}: the teacher is sure of no text; give a larger one"
            )


def entropy(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """The entropy of the labels' probabilities, in bits, ``[n_texts]``.

    :param logits: ``[n_texts, n_labels]``.
    """
    shifted = logits - logits.max(axis=1, keepdims=True).astype(np.float64)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    bits: NDArray[np.float64] = -(np.exp(log_probs) * log_probs).sum(axis=1) / np.log(2)
    return bits
