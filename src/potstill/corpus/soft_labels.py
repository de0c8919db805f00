"""Which of a teacher's soft labels a student learns, and as what: logits, or the decided label."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potstill.errors import PotstillError
from potstill.tasks import Task


@dataclass(frozen=True)
class SoftLabelFilter:
    """Which texts are learnt, and whether as logits or as labels."""

    entropy_threshold: float = -1.0
    """Leave out texts for which the entropy of the teacher's probabilities is above this, in bits (0: certain, 1:
    undecided between two labels). Below 0: all texts stay."""
    hard_labeling: bool = False
    """Take the teacher's likeliest label of each text instead of its logits."""

    def rows(self, logits: NDArray[np.float32], task: Task) -> NDArray[np.int64]:
        """The rows of the texts that are learnt.

        :param logits: ``[n_texts, n_labels]``.
        """
        if self.entropy_threshold < 0:
            return np.arange(len(logits))
        return np.flatnonzero(task.entropy(logits) <= self.entropy_threshold)

    def check_some(self, n_texts: int) -> None:
        """Check that texts are left.

        :raises PotstillError: when none is.
        """
        if not n_texts:
            raise PotstillError(
                f"--entropy_threshold={self.entropy_threshold}: the teacher is confident of no text; give a larger one"
            )
