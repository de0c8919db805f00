"""A cascade: the student predicts, and texts of low confidence go to a larger model. Knows nothing of HTTP.

The rule works on probabilities, so that the server applies the same one to the probabilities of its queues.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.texts import Text
from potstill.errors import PotstillError
from potstill.runtime.classifier import find_threshold
from potstill.runtime.estimator import FittedClassifier
from potstill.runtime.texts import as_list
from potstill.tasks import Task, find_task


class Model(Protocol):
    """What a cascade needs of its two models; a :class:`~potstill.Classifier` has it."""

    classes_: NDArray[Any]

    def predict_proba(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """The probability of each label, float32 ``[len(texts), len(classes_)]``."""


@dataclass(frozen=True)
class CascadePredictions:
    """The probabilities of some texts, and which model gave them.

    :param probabilities: float32 ``[n_texts, n_labels]``, in the order of the cascade's ``classes_``.
    :param from_fallback: bool ``[n_texts]``.
    """

    probabilities: NDArray[np.float32]
    from_fallback: NDArray[np.bool_]


class Cascade(FittedClassifier):
    """A student, and the fallback that predicts where the student's confidence is below a threshold.

    :param below: the threshold: a probability above 0.
    :ivar classes_: the student's labels, which are the order of every probability here.
    :raises PotstillError: when the two have different labels, or ``below`` is no probability above 0.
    """

    def __init__(self, student: Model, fallback: Model, below: float) -> None:
        if not 0 < below <= 1:
            raise PotstillError(f"below {below}: give a probability above 0 and up to 1, such as 0.9")
        labels, fallback_labels = student.classes_.tolist(), fallback.classes_.tolist()
        if sorted(labels) != sorted(fallback_labels):
            raise PotstillError(
                f"the student's labels are {', '.join(labels)}, the fallback's {', '.join(fallback_labels)}: "
                "give a fallback that knows the same labels"
            )
        self.classes_ = student.classes_
        self.task: Task = getattr(student, "task", find_task())  # another library's model has none
        self.below = below
        self._student, self._fallback = student, fallback
        self._columns = [fallback_labels.index(label) for label in labels]

    def below_threshold(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which texts the fallback should predict: those where the student's confidence is below the threshold.

        :param probabilities: the student's, float32 ``[n_texts, n_labels]``.
        :return: bool ``[n_texts]``.
        """
        is_below: NDArray[np.bool_] = self.task.confidence(probabilities) < self.below
        return is_below

    def in_student_order(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """The fallback's probabilities, float32 ``[n_texts, n_labels]``, in the order of ``classes_``."""
        return probabilities[:, self._columns]

    def predict_with_source(self, texts: Iterable[Text]) -> CascadePredictions:
        """Predict with the student, then with the fallback what is below the threshold; say which model it was."""
        texts = as_list(texts)  # read twice
        probabilities = self._student.predict_proba(texts)
        is_below = self.below_threshold(probabilities)
        if is_below.any():
            for_fallback = [text for text, goes_on in zip(texts, is_below, strict=True) if goes_on]
            probabilities = probabilities.copy()  # the student may keep its array
            probabilities[is_below] = self.in_student_order(self._fallback.predict_proba(for_fallback))
        return CascadePredictions(probabilities, from_fallback=is_below)

    def predict_proba(self, texts: Iterable[Text]) -> NDArray[np.float32]:
        """The probability of each label, from either model, float32 ``[len(texts), len(classes_)]``."""
        return self.predict_with_source(texts).probabilities

    def predict(self, texts: Iterable[Text], at_least: float | str = 0.0) -> NDArray[np.object_]:
        """The label of each text, or the list of them, ``[len(texts)]``.

        :param at_least: see :meth:`~potstill.Classifier.predict`; a name is one of the student's.
        """
        least = find_threshold(at_least, getattr(self._student, "thresholds", {}), "the student")
        labels = self.task.answers(self.predict_proba(texts), self.classes_, least)
        if self.task.takes_several:
            labels[:] = [list(each) for each in labels]
        return labels
