"""What every task has: the protocol, and the forms of labels and figures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

NO_LABEL: Final = -100  # the gold label of a text that has none; torch's cross-entropy leaves it out

Label = str | tuple[str, ...]
"""The gold label of a text; where a text may have several, all of them in the order of the data's labels, or none."""

Temperature = float | NDArray[Any]
"""What logits are divided by: one number, or one a label, ``[n_labels]``."""


class Task(Protocol):
    """One kind of classification. Logits and probabilities are ``[n_texts, n_labels]`` everywhere.

    Gold labels and decisions are arrays: int64 ``[n_texts]`` of label ids where a text has one label, and where it may
    have several, 1 or 0 for each label, ``[n_texts, n_labels]``: float32 for gold labels, bool for decisions.
    """

    @property
    def problem_type(self) -> str:
        """Its name in Hugging Face's configurations."""

    @property
    def accuracy_name(self) -> str:
        """What the share of right decisions is called in this task."""

    @property
    def default_measure(self) -> Literal["accuracy", "macro_f1"]:
        """The figure on valid that picks checkpoints unless the user names another."""

    @property
    def takes_several(self) -> bool:
        """Whether a text may have several labels, or none."""

    def encode(self, labels: Sequence[Label], names: Sequence[str]) -> NDArray[Any]:
        """Gold labels as an array.

        :param labels: of the texts, each among ``names``.
        :param names: the labels, in id order.
        """

    def no_gold(self, n_texts: int, n_labels: int) -> NDArray[Any]:
        """The array of texts without gold labels: :data:`NO_LABEL` everywhere."""

    def decode(self, decisions: NDArray[Any], names: NDArray[np.object_]) -> NDArray[np.object_]:
        """Decisions as labels, object ``[n_texts]``: see :data:`Label`.

        :param names: the labels, in id order.
        """

    def decide(self, logits: NDArray[Any], temperature: Temperature = 1.0) -> NDArray[Any]:
        """The decision of each text."""

    def decide_from_probabilities(self, probabilities: NDArray[Any]) -> NDArray[Any]:
        """The same from :meth:`probabilities`."""

    def answers(
        self, probabilities: NDArray[Any], names: NDArray[np.object_], at_least: float = 0.0
    ) -> NDArray[np.object_]:
        """The labels whose probability is at least a number, object ``[n_texts]``: see :data:`Label`; where a text has
        one label, None for those without.

        :param names: the labels, in id order.
        """

    def as_gold(self, decisions: NDArray[Any]) -> NDArray[Any]:
        """Decisions as gold labels, for a model that learns them."""

    def is_right(self, decisions: NDArray[Any], gold: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each text's whole decision is the gold one, ``[n_texts]``."""

    def probabilities(self, logits: NDArray[np.float32], temperature: Temperature = 1.0) -> NDArray[np.float32]:
        """The probability of each label, float32 ``[n_texts, n_labels]``."""

    def confidence(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probability that each text's whole decision is right, float32 ``[n_texts]``."""

    def entropy(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """The entropy of each text's probabilities in bits, ``[n_texts]``."""

    def figures(self, probabilities: NDArray[Any], gold: NDArray[Any]) -> dict[str, float]:
        """The figures of some texts by name: ``accuracy``, ``macro_f1`` and those of the task alone."""

    def outcomes(self, probabilities: NDArray[Any], gold: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Probabilities and whether what they are of is so, two arrays of one length: what calibration compares."""

    def log_loss(self, logits: NDArray[Any], gold: NDArray[Any], temperature: Temperature = 1.0) -> float:
        """The mean negative log-likelihood of the gold labels."""

    def with_thresholds(self, thresholds: Sequence[float]) -> "Task":
        """The task with a threshold a label, from which on its probability decides for it.

        :raises ValueError: where labels have no threshold.
        """

    def first_logits(self, gold: NDArray[Any]) -> NDArray[np.float32] | None:
        """The logits that an untrained model starts from, ``[n_labels]``; None: those that its weights give.

        :param gold: of the training set.
        """

    def label_weights(self, gold: NDArray[Any], n_labels: int, power: float) -> NDArray[np.float32]:
        """The weight of each label in the losses, ``[n_labels]``: rare labels have more.

        :param gold: of the training set.
        :param power: 0 gives all labels the same, 1 makes all weigh the same in sum.
        """

    def text_weights(self, gold: NDArray[Any], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """The weight of each text by its gold labels, ``[n_texts]``.

        :param weights: of the labels, ``[n_labels]``.
        """

    def gold_loss(self, logits: "Tensor", gold: "Tensor", weights: "Tensor | None" = None) -> "Tensor":
        """The training loss on gold labels, a scalar; texts with :data:`NO_LABEL` do not count.

        :param weights: of the labels, ``[n_labels]``.
        """

    def soft_weights(self, teacher_logits: "Tensor", weights: "Tensor") -> "Tensor":
        """The weight of each text, or of each of its labels, by the teacher's probabilities.

        :param weights: of the labels, ``[n_labels]``.
        """

    def divergence(
        self, logits: "Tensor", teacher_logits: "Tensor", temperature: float, weights: "Tensor | None" = None
    ) -> "Tensor":
        """The training loss that compares the student's probabilities with the teacher's, a scalar.

        :param weights: of the labels, ``[n_labels]``.
        """
