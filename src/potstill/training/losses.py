"""Training objectives: pure functions of logits and targets."""

import torch
from torch import Tensor
from torch.nn import functional

from potstill.training.options import Optimisation


def mean_squared_error(logits: Tensor, targets: Tensor) -> Tensor:
    """The distance between student's and teacher's logits (Tang et al. 2019, https://arxiv.org/abs/1903.12136).

    :param logits: ``[batch, n_labels]``.
    :param targets: the teacher's logits, ``[batch, n_labels]``.
    :return: a scalar.
    """
    return functional.mse_loss(logits, targets)


def divergence(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """The Kullback-Leibler divergence of the teacher's softened probabilities from the student's, times the
    temperature squared, which keeps the gradients' size (Hinton et al. 2015, https://arxiv.org/abs/1503.02531).

    :param logits: ``[batch, n_labels]``.
    :param targets: the teacher's logits, ``[batch, n_labels]``.
    :return: a scalar.
    """
    student, teacher = (torch.log_softmax(values / temperature, dim=1) for values in (logits, targets))
    return functional.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy on gold labels.

    :param logits: ``[batch, n_labels]``.
    :param targets: label ids, ``[batch]``; the texts with :data:`potstill.corpus.encoded.NO_GOLD` do not count.
    :return: a scalar; 0 where no text counts.
    """
    total = functional.cross_entropy(logits, targets, reduction="sum")
    return total / (targets >= 0).sum().clamp(min=1)


def training_loss(options: Optimisation, logits: Tensor, targets: Tensor, gold: Tensor | None) -> Tensor:
    """The loss that the options and the targets ask for.

    :param targets: label ids, ``[batch]``, or the teacher's logits, ``[batch, n_labels]``.
    :param gold: beside the teacher's logits the label ids, where they are known.
    """
    if not targets.is_floating_point():
        return cross_entropy(logits, targets)
    if options.loss == "kl":
        soft = divergence(logits, targets, options.temperature)
    else:
        soft = mean_squared_error(logits, targets)
    if gold is None or not options.gold_weight:
        return soft
    return (1 - options.gold_weight) * soft + options.gold_weight * cross_entropy(logits, gold)
