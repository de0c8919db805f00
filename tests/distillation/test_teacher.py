"""What a run's first stages say."""

import pytest

from potstill.distillation.teacher import warn_of_few_steps, warn_of_rise
from potstill.training.options import Optimisation
from potstill.training.trainer import Training, is_rising


@pytest.mark.parametrize(("n_texts", "epochs", "is_said"), [(400, 3, True), (400, 15, False), (67_349, 2, False)])
def test_a_teacher_of_few_steps_is_a_warning_with_the_options_that_fix_it(
    n_texts: int, epochs: int, is_said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_few_steps(n_texts, Optimisation(lr=5e-5, epoch=epochs, batch_size=64))
    assert ("--teacher_epochs" in caplog.text) == is_said
    assert ("400 texts are only 21 steps" in caplog.text) == is_said


def test_a_teacher_that_gets_its_fewest_steps_is_not(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_few_steps(400, Optimisation(lr=5e-5, epoch=2, min_steps=300, batch_size=64))
    assert not caplog.text


@pytest.mark.parametrize(
    ("figures", "is_said"),
    [((0.5, 0.6, 0.7), True), ((0.5, 0.7, 0.702), False), ((0.7, 0.5, 0.6), False), ((0.5, 0.7), False)],
)
def test_a_teacher_that_was_still_rising_is_a_warning(
    figures: tuple[float, ...], is_said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    evaluations = [{"accuracy": figure, "epoch": float(number)} for number, figure in enumerate(figures, 1)]
    warn_of_rise(Training(max(figures), evaluations, seconds=1.0, is_rising=is_rising(evaluations)))
    assert ("still rising when fine-tuning ended after 3 epochs" in caplog.text) == is_said
    assert ("more --teacher_epochs than that" in caplog.text) == is_said
