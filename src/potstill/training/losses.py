"""Training objectives: pure functions of logits and targets."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]


def mean_squared_error(logits: Tensor, targets: Tensor) -> Tensor:
    """The distance between student's and teacher's logits (Tang et al. 2019, https://arxiv.org/abs/1903.12136).

    :param logits: ``[batch, n_labels]``.
    :param targets: the teacher's logits, ``[batch, n_labels]``.
    :return: a scalar.
    """
    return functional.mse_loss(logits, targets)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy on gold labels.

    :param logits: ``[batch, n_labels]``.
    :param targets: label ids, ``[batch]``.
    :return: a scalar.
    """
    return functional.cross_entropy(logits, targets)
