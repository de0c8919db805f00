"""Training objectives: pure functions of a batch's logits, its label ids and its teacher's logits."""

from torch import Tensor
from torch.nn import functional

from potstill.tasks import Task
from potstill.training.options import Optimisation


def mean_squared_error(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """The mean squared error of the student's logits (Tang et al. 2019, https://arxiv.org/abs/1903.12136).

    :param logits: ``[batch, n_labels]``.
    :param teacher_logits: ``[batch, n_labels]``.
    :return: a scalar.
    """
    # The logits are not brought to one size first: that lost up to 5 points in 72 steps (densenet-cnn), changed nothing
    # in two epochs of 40,000 texts (cnn), and did not make up for a teacher that has learnt too little.
    return functional.mse_loss(logits, teacher_logits)


def training_loss(
    options: Optimisation,
    task: Task,
    logits: Tensor,
    gold: Tensor | None,
    teacher_logits: Tensor | None,
    weights: Tensor | None = None,
) -> Tensor:
    """The loss of a batch: on the teacher's logits where there are any, on gold labels, or on both.

    The targets decide it: no option says once more what they are. A gold label counts for the training text's own row
    alone; an augmented text may have another label.

    :param logits: the student's, ``[batch, n_labels]``.
    :param gold: as the task encodes them, ``[batch]`` or ``[batch, n_labels]``, or None.
    :param teacher_logits: ``[batch, n_labels]``, or None.
    :param weights: of the labels, ``[n_labels]``; None: all count alike.
    :return: a scalar.
    """
    if teacher_logits is None:
        assert gold is not None
        return task.gold_loss(logits, gold, weights)
    if options.loss == "kl":
        soft = task.divergence(logits, teacher_logits, options.temperature, weights)
    elif weights is None:
        soft = mean_squared_error(logits, teacher_logits)
    else:
        by_label = functional.mse_loss(logits, teacher_logits, reduction="none")
        by_text = task.soft_weights(teacher_logits, weights)
        soft = (by_label * (by_text if by_text.dim() > 1 else by_text.unsqueeze(1))).mean()
    if gold is None or not options.gold_weight:
        return soft
    return (1 - options.gold_weight) * soft + options.gold_weight * task.gold_loss(logits, gold, weights)
