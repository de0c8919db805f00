"""Options of a training."""

from typing import Any

import pytest

from potstill.errors import PotstillError
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
        ({"steps": -1}, "--steps=-1: must not be negative"),
        ({"min_steps": -1}, "--min_steps=-1: must not be negative"),
        ({"min_steps": 10, "steps": 20}, "leave --min_steps out"),
        ({"temperature": 0.0, "loss": "kl"}, "--temperature=0.0: must be more than 0"),
        ({"temperature": 2.0}, "--temperature is for probabilities: give --loss=kl too"),
        ({"gold_weight": -0.1}, "--gold_weight=-0.1: a weight from 0 to 1"),
        ({"gold_weight": 1.5}, "--gold_weight=1.5: a weight from 0 to 1"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        Optimisation(**options)


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"loss": "kl", "temperature": 2.0}, {"gold_weight": 0.0}, {"gold_weight": 1.0}]
)
def test_options_at_the_ends_of_their_range_are_accepted(options: dict[str, Any]) -> None:
    assert Optimisation(**options).epoch == 3
