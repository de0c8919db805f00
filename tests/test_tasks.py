"""The tasks by name: decisions, probabilities, losses. Training's own tests are in tests/training."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from potstill.errors import PotstillError
from potstill.tasks import NO_LABEL, SINGLE_LABEL, TASKS, find_task

LOGITS = arrays(np.float32, (4, 3), elements=st.floats(-20, 20, width=32))


@pytest.mark.parametrize("name", TASKS)
@given(logits=LOGITS)
def test_decisions_are_the_same_from_logits_and_from_probabilities(name: str, logits: Any) -> None:
    task = TASKS[name]
    logits = np.round(logits)  # no two so close that they are equal as probabilities
    probabilities = task.probabilities(logits, 2.0)
    assert probabilities.dtype == np.float32 and ((probabilities >= 0) & (probabilities <= 1)).all()
    decided = task.decide(logits)
    np.testing.assert_array_equal(task.decide_from_probabilities(probabilities), decided)
    assert task.is_right(decided, task.decide(logits)).all()
    assert task.confidence(probabilities).shape == (4,) and (task.entropy(logits) >= -1e-9).all()


@pytest.mark.parametrize("name", TASKS)
def test_the_loss_on_gold_labels_is_that_of_numpy_and_torch_alike(name: str) -> None:
    task = TASKS[name]
    logits = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    labels: list[Any] = [("a", "c"), (), ("b",)] * 2 if task.takes_several else ["a", "b", "c"] * 2
    gold = task.encode(labels, ["a", "b", "c"])
    loss = task.gold_loss(torch.from_numpy(logits), torch.from_numpy(gold)).item()
    assert loss == pytest.approx(task.log_loss(logits, gold), rel=1e-5)
    gold[1:] = NO_LABEL
    assert task.gold_loss(torch.from_numpy(logits), torch.from_numpy(gold)).item() == pytest.approx(
        task.log_loss(logits[:1], gold[:1]), rel=1e-5
    )


def test_a_higher_temperature_makes_a_single_label_less_confident() -> None:
    task, logits = find_task(), np.array([[2.0, 0.0, -1.0]], dtype=np.float32)
    cold, warm = (task.confidence(task.probabilities(logits, temperature)).item() for temperature in (0.5, 4.0))
    assert cold > warm > 1 / 3


def test_the_task_is_found_by_hugging_faces_name() -> None:
    assert find_task() is find_task(SINGLE_LABEL) is TASKS[SINGLE_LABEL]
    with pytest.raises(PotstillError, match=r"config\.json: its problem_type is 'regression', which is not"):
        find_task("regression")
    with pytest.raises(PotstillError, match=r"'\['regression'\]'"):
        find_task(["regression"])


def test_deciding_needs_no_torch() -> None:
    code = "import sys, numpy; from potstill.tasks import find_task as f; t = f(); x = numpy.ones((1, 2), 'f4')\n"
    code += "t.decide(x), t.probabilities(x), t.log_loss(x, numpy.array([0])); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
