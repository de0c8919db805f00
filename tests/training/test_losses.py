"""Training objectives."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from potstill.tasks import NO_LABEL, SingleLabel
from potstill.training.losses import mean_squared_error, training_loss
from potstill.training.options import Optimisation

TASK = SingleLabel()
LOGITS = torch.tensor([[1.0, -1.0, 0.5], [0.0, 2.0, -0.5]])
TEACHER = torch.tensor([[2.0, 1.0, -1.5], [0.5, 0.0, 1.0]])
GOLD = torch.tensor([0, 2])
HALF_KNOWN = torch.tensor([NO_LABEL, 2])
NONE_KNOWN = torch.tensor([NO_LABEL, NO_LABEL])


def by_hand(logits: Tensor, targets: Tensor, temperature: float) -> float:
    """The divergence as its formula is written, number by number."""
    total = 0.0
    for student, teacher in zip(logits.tolist(), targets.tolist(), strict=True):
        student_exps, teacher_exps = ([math.exp(value / temperature) for value in row] for row in (student, teacher))
        q, p = (
            [value / sum(student_exps) for value in student_exps],
            [value / sum(teacher_exps) for value in teacher_exps],
        )
        total += sum(p_i * math.log(p_i / q_i) for p_i, q_i in zip(p, q, strict=True))
    return temperature**2 * total / len(logits)


def test_the_mean_squared_error_is_over_all_logits() -> None:
    expected = sum((a - b) ** 2 for a, b in zip(LOGITS.flatten().tolist(), TEACHER.flatten().tolist(), strict=True))
    assert mean_squared_error(LOGITS, TEACHER).item() == pytest.approx(expected / 6)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_the_divergence_is_its_formula(temperature: float) -> None:
    expected = by_hand(LOGITS, TEACHER, temperature)
    assert TASK.divergence(LOGITS, TEACHER, temperature).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_divergence_is_nothing_for_the_same_probabilities(temperature: float) -> None:
    shifted = TEACHER + torch.tensor([[3.0], [-7.0]])  # the same probabilities
    assert TASK.divergence(shifted, TEACHER, temperature).item() == pytest.approx(0, abs=1e-6)
    assert TASK.divergence(LOGITS, TEACHER, temperature).item() > 0.01


def test_the_temperature_divides_both_logits_and_is_made_good_by_its_square() -> None:
    divided = TASK.divergence(LOGITS / 3, TEACHER / 3, 1.0).item()
    assert TASK.divergence(LOGITS, TEACHER, 3.0).item() == pytest.approx(9 * divided)


def test_the_divergence_moves_a_student_towards_its_teacher() -> None:
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(TASK.divergence(logits, TEACHER, 2.0), logits)
    nearer = LOGITS - 0.5 * gradient
    assert TASK.divergence(nearer, TEACHER, 2.0) < TASK.divergence(LOGITS, TEACHER, 2.0)


def test_the_cross_entropy_is_the_mean_over_known_labels() -> None:
    log = torch.log_softmax(LOGITS, 1)
    assert TASK.gold_loss(LOGITS, GOLD).item() == pytest.approx(-(log[0, 0] + log[1, 2]).item() / 2)
    assert TASK.gold_loss(LOGITS, HALF_KNOWN).item() == pytest.approx(-log[1, 2].item())


def test_the_cross_entropy_is_nothing_where_no_label_is_known() -> None:
    logits = LOGITS.clone().requires_grad_()
    loss = TASK.gold_loss(logits, NONE_KNOWN)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0 and not gradient.any()


@pytest.mark.parametrize("options", [Optimisation(), Optimisation(loss="kl", temperature=2.0, gold_weight=0.5)])
def test_label_ids_are_learnt_by_cross_entropy_whatever_the_options(options: Optimisation) -> None:
    assert training_loss(options, TASK, LOGITS, GOLD, None).item() == pytest.approx(TASK.gold_loss(LOGITS, GOLD).item())


def test_logits_are_learnt_by_the_loss_that_the_options_name() -> None:
    assert training_loss(Optimisation(), TASK, LOGITS, None, TEACHER).equal(mean_squared_error(LOGITS, TEACHER))
    softened = training_loss(Optimisation(loss="kl", temperature=2.0), TASK, LOGITS, None, TEACHER)
    assert softened.equal(TASK.divergence(LOGITS, TEACHER, 2.0))


def test_without_a_weight_gold_labels_do_not_count() -> None:
    assert training_loss(Optimisation(), TASK, LOGITS, GOLD, TEACHER).equal(mean_squared_error(LOGITS, TEACHER))


def test_with_all_the_weight_known_gold_labels_alone_count() -> None:
    loss = training_loss(Optimisation(gold_weight=1.0), TASK, LOGITS, HALF_KNOWN, TEACHER)
    assert loss.item() == pytest.approx(functional.cross_entropy(LOGITS[1:], GOLD[1:]).item())


@pytest.mark.parametrize("options", [Optimisation(gold_weight=0.25), Optimisation(loss="kl", gold_weight=0.25)])
def test_a_weight_mixes_the_two(options: Optimisation) -> None:
    soft = TASK.divergence(LOGITS, TEACHER, 1.0) if options.loss == "kl" else mean_squared_error(LOGITS, TEACHER)
    expected = 0.75 * soft + 0.25 * TASK.gold_loss(LOGITS, HALF_KNOWN)
    assert training_loss(options, TASK, LOGITS, HALF_KNOWN, TEACHER).item() == pytest.approx(expected.item())
    assert training_loss(options, TASK, LOGITS, None, TEACHER).item() == pytest.approx(soft.item())
