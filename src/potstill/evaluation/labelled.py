"""Texts with their gold labels, and how a model's labels compare with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.examples import Example
from potstill.corpus.texts import Text
from potstill.tasks import Label, Task, task_of


@dataclass(frozen=True)
class Labelled:
    """Texts, or pairs of them, and their gold labels."""

    texts: Sequence[Text]
    labels: Sequence[Label]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Labelled":
        """Those of a split."""
        return cls([example.content for example in examples], [example.label for example in examples])

    @property
    def task(self) -> Task:
        """How many labels a text has."""
        return task_of(self.labels[0])

    def gold(self, names: Sequence[str]) -> NDArray[Any]:
        """The labels as the task encodes them.

        :param names: in the order of the encoding.
        """
        return self.task.encode(self.labels, names)

    def is_right(self, labels: Sequence[object] | NDArray[np.object_]) -> NDArray[np.bool_]:
        """Whether each of a model's labels is the gold one, or the several of a text are, ``[n_texts]``."""
        pairs = zip(map(_unordered, self.labels), map(_unordered, labels), strict=True)
        return np.array([gold == found for gold, found in pairs], dtype=np.bool_)

    def f1(self, labels: Sequence[object] | NDArray[np.object_], average: Literal["macro", "micro"] = "macro") -> float:
        """F1 of a model's labels: the mean of the labels' own, or that of all labels together."""
        from sklearn.metrics import f1_score
        from sklearn.preprocessing import MultiLabelBinarizer

        gold, found = list(self.labels), list(labels)
        if self.task.takes_several:
            sets = MultiLabelBinarizer().fit([*gold, *found])
            if not len(sets.classes_):  # no text has a label, and none was given
                return 0.0
            gold, found = sets.transform(gold), sets.transform(found)
        return float(f1_score(gold, found, average=average, zero_division=0))

    def micro_f1(self, labels: Sequence[object] | NDArray[np.object_]) -> float | None:
        """That of all labels together, where a text may have several; elsewhere it is the accuracy: None."""
        return self.f1(labels, "micro") if self.task.takes_several else None


def _unordered(label: object) -> object:
    """Several labels without their order: models have that of their labels, files another one."""
    return frozenset(label) if isinstance(label, list | tuple) else label
