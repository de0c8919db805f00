"""A cascade: the student answers, and what it is not sure of goes to a larger model. Knows nothing of HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.encoded import Text
from potstill.errors import PotstillError


class Model(Protocol):
    """What a cascade asks of its two models; a :class:`~potstill.Classifier` has it."""

    classes_: NDArray[Any]

    def predict_proba(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """The probability of each label, float32 ``[len(texts), len(classes_)]``."""


@dataclass(frozen=True)
class CascadePredictions:
    """The answers to some texts, and who gave them.

    :param probabilities: float32 ``[n_texts, n_labels]``, in the order of the cascade's ``classes_``.
    :param from_fallback: bool ``[n_texts]``.
    """

    probabilities: NDArray[np.float32]
    from_fallback: NDArray[np.bool_]


class Cascade:
    """A student, and the model that is asked where the student is less sure than ``below``.

    :ivar classes_: the student's labels, which are the order of every probability here.
    :raises PotstillError: when the two have different labels, or ``below`` is no probability above 0.
    """

    def __init__(self, student: Model, fallback: Model, below: float) -> None:
        if not 0 < below <= 1:
            raise PotstillError(f"below {below}: give a probability above 0 and up to 1, such as 0.9")
        ours, theirs = student.classes_.tolist(), fallback.classes_.tolist()
        if sorted(ours) != sorted(theirs):
            raise PotstillError(
                f"the student's labels are {', '.join(ours)}, the fallback's {', '.join(theirs)}: "
                "give a fallback that knows the same labels"
            )
        self.classes_ = student.classes_
        self.below = below
        self._student, self._fallback = student, fallback
        self._columns = [theirs.index(label) for label in ours]

    def unsure(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which of the student's answers are to come from the fallback.

        :param probabilities: the student's, float32 ``[n_texts, n_labels]``.
        :return: bool ``[n_texts]``.
        """
        unsure: NDArray[np.bool_] = probabilities.max(axis=1) < self.below
        return unsure

    def in_student_order(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """The fallback's probabilities, float32 ``[n_texts, n_labels]``, in the order of ``classes_``."""
        return probabilities[:, self._columns]

    def answer(self, texts: Sequence[Text]) -> CascadePredictions:
        """Ask the student, then the fallback for what the student is not sure of."""
        probabilities = self._student.predict_proba(texts)
        unsure = self.unsure(probabilities)
        if unsure.any():
            harder = [text for text, is_hard in zip(texts, unsure, strict=True) if is_hard]
            probabilities = probabilities.copy()
            probabilities[unsure] = self.in_student_order(self._fallback.predict_proba(harder))
        return CascadePredictions(probabilities, unsure)

    def predict_proba(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """The probability of each label, whoever answers, float32 ``[len(texts), len(classes_)]``."""
        return self.answer(texts).probabilities

    def predict(self, texts: Sequence[Text]) -> NDArray[np.object_]:
        """The likeliest label of each text, ``[len(texts)]``."""
        labels: NDArray[np.object_] = self.classes_[self.predict_proba(texts).argmax(axis=1)]
        return labels
