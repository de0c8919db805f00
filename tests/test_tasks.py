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
from sklearn.metrics import accuracy_score, average_precision_score, f1_score

from potstill.errors import PotstillError
from potstill.tasks import NO_LABEL, SINGLE_LABEL, TASKS, MultiLabel, find_task, shown_label

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


NAMES = ["a", "b", "c"]
GOLD = MultiLabel().encode([("a", "c"), (), ("b",), ("a",)], NAMES)
PROBABILITIES = np.array([[0.9, 0.2, 0.4], [0.3, 0.1, 0.1], [0.2, 0.4, 0.1], [0.8, 0.6, 0.1]], dtype=np.float32)


def test_several_labels_are_decided_each_by_its_threshold() -> None:
    task = MultiLabel()
    assert GOLD.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0]]
    names = np.array(NAMES, dtype=object)
    assert task.decode(task.decide_from_probabilities(PROBABILITIES), names).tolist() == [("a",), (), (), ("a", "b")]
    fitted = task.with_thresholds((0.5, 0.4, 0.3))
    decisions = fitted.decide_from_probabilities(PROBABILITIES)
    assert fitted.decode(decisions, names).tolist() == [("a", "c"), (), ("b",), ("a", "b")]
    assert fitted.is_right(decisions, GOLD).tolist() == [True, True, True, False]
    assert shown_label(()) == "(none)" and shown_label(("a", "b")) == "a, b"


def test_figures_of_several_labels_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    gold = (generator.random((200, 5)) < (0.5, 0.3, 0.1, 0.05, 0.0)).astype(np.float32)
    probabilities = np.round(np.clip(generator.normal(gold * 0.3 + 0.3, 0.2), 0, 1), 2)
    found = MultiLabel().figures(probabilities, gold)
    decided, occurs = probabilities >= 0.5, gold.any(axis=0)
    assert found["accuracy"] == pytest.approx(accuracy_score(gold, decided))
    assert found["micro_f1"] == pytest.approx(f1_score(gold, decided, average="micro", zero_division=0))
    assert found["macro_f1"] == pytest.approx(f1_score(gold, decided, average="macro", zero_division=0))
    assert found["average_precision"] == pytest.approx(
        average_precision_score(gold[:, occurs], probabilities[:, occurs], average="macro")
    )


def test_figures_of_one_label_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    gold, logits = generator.integers(0, 4, 100), generator.normal(size=(100, 6)).astype(np.float32)
    found, decided = find_task().figures(logits, gold), logits.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(accuracy_score(gold, decided))
    assert found["macro_f1"] == pytest.approx(f1_score(gold, decided, average="macro"))


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_students_loss_is_least_at_its_teachers_logits(name: str, is_weighted: bool) -> None:
    task, teacher = TASKS[name], torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits = teacher.clone().requires_grad_()
    weights = torch.tensor([1.0, 3.0, 9.0], dtype=torch.float64) if is_weighted else None
    loss = task.divergence(logits, teacher, 2.0, weights)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(0, abs=1e-9) and logits.grad is not None
    assert logits.grad.abs().max() < 1e-9
    assert task.divergence(teacher + torch.tensor([0.5, 0.0, -0.5]), teacher, 2.0, weights).item() > 0.001


def test_rare_labels_weigh_more() -> None:
    gold = np.repeat([0, 1, 2], (90, 9, 1))
    weights = find_task().label_weights(gold, 3, 1.0)
    sums = np.bincount(gold, weights[gold])
    np.testing.assert_allclose(sums, 100 / 3, rtol=1e-5)  # all labels the same in sum
    assert find_task().label_weights(gold, 3, 0.0).tolist() == [1, 1, 1]
    several = MultiLabel().label_weights(np.eye(3, dtype=np.float32)[gold], 3, 1.0)
    np.testing.assert_allclose(several, [1, 91 / 9, 99], rtol=1e-5)  # more texts with a label than without: 1
    unknown = np.concatenate([np.eye(3, dtype=np.float32)[gold], MultiLabel().no_gold(50, 3)])
    np.testing.assert_array_equal(MultiLabel().label_weights(unknown, 3, 1.0), several)
    assert MultiLabel().text_weights(GOLD, np.array([1, 2, 4], dtype=np.float32)).tolist() == [4, 1, 2, 1]
