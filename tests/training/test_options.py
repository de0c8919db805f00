"""Options of a training."""

import pytest
import torch

from potstill.errors import PotstillError
from potstill.training.losses import cross_entropy, mean_squared_error
from potstill.training.options import Optimisation


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"warmup_epoch": 1, "epoch": 3}, "give --use_transformers_optimizer too"),
        ({"weight_decay": 0.1}, "give --use_transformers_optimizer too"),
        ({"use_transformers_optimizer": True, "lr_decay_rate": 0.9}, "give one of them"),
        ({"use_transformers_optimizer": True, "warmup_epoch": 3, "epoch": 3}, "warm up for fewer epochs"),
        ({"lr": 0.0}, "--lr=0.0: must be more than 0"),
        ({"epoch": 0}, "--epoch=0"),
        ({"batch_size": -1}, "--batch_size=-1"),
        ({"seed": -1}, "--seed=-1: must not be negative"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, float], complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        Optimisation(**options)  # type: ignore[arg-type]


def test_the_losses_are_the_fields() -> None:
    logits = torch.tensor([[1.0, -1.0], [0.0, 2.0]])
    assert mean_squared_error(logits, torch.tensor([[1.0, 1.0], [0.0, 2.0]])).item() == pytest.approx(1.0)
    expected = -(torch.log_softmax(logits, 1)[0, 0] + torch.log_softmax(logits, 1)[1, 1]) / 2
    assert cross_entropy(logits, torch.tensor([0, 1])).item() == pytest.approx(expected.item())
