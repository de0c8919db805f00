"""The trainer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from potstill.corpus.encoded import Encoded, encode, limited
from potstill.corpus.words import build_tokenizer
from potstill.progress import Progress
from potstill.tasks import NO_LABEL, SingleLabel
from potstill.training import trainer
from potstill.training.batching import LengthBatchSampler
from potstill.training.fitting import new_student
from potstill.training.optimizers import make_optimizer
from potstill.training.options import Optimisation
from potstill.training.trainer import train_model
from potstill.training.vocabulary import Vocabulary

TOKENIZER = build_tokenizer("abcdef", lower=True)
TEXTS = ["a b c", "d e f", "a c", "f d", "b a", "e d"] * 10
GOLD = np.array([0, 1] * 30)


def student(trainable: bool = True) -> Any:
    vocabulary = Vocabulary(TOKENIZER, np.random.default_rng(0).normal(size=(9, 12)).astype(np.float32))
    return new_student("cnn", {}, vocabulary, ["no", "yes"], embedding_trainable=trainable, seed=1)[0]


def sets(logits: NDArray[np.float32] | None = None) -> tuple[Encoded, Encoded]:
    """Train with the teacher's logits, or with label ids; valid with label ids."""
    tokenizer = limited(TOKENIZER, 10)
    valid = encode(TEXTS, tokenizer, gold=GOLD)
    return valid if logits is None else encode(TEXTS, tokenizer, teacher_logits=logits), valid


@pytest.mark.parametrize("logits", [None, np.eye(2, dtype=np.float32)[GOLD] * 4 - 2])
def test_a_student_learns_gold_labels_and_logits(logits: NDArray[np.float32] | None, tmp_path: Path) -> None:
    training = train_model(student(), *sets(logits), Optimisation(epoch=5, batch_size=8, measure="accuracy"), tmp_path)
    assert training.best == 1.0
    assert len(training.evaluations) <= 5 and training.evaluations[-1]["step"] <= 40


def test_the_model_ends_with_its_best_checkpoint(tmp_path: Path) -> None:
    model = student()
    train, valid = sets()
    options = Optimisation(epoch=4, batch_size=8, lr=3e-2, measure="loss")
    training = train_model(model, train, valid, options, tmp_path)
    with torch.inference_mode():
        batch = {name: torch.from_numpy(array) for name, array in valid.pad(np.arange(60), 0).items()}
        loss = torch.nn.functional.cross_entropy(model.eval()(**batch).logits, batch["gold"]).item()
    assert loss == pytest.approx(min(entry["loss"] for entry in training.evaluations), rel=1e-3, abs=1e-6)


def test_an_overconfident_checkpoint_of_higher_accuracy_is_better() -> None:
    labels = np.arange(100) % 2
    signs = np.where(labels == np.arange(2)[:, None], 1, -1).T
    early, late = (
        signs * np.where(np.arange(100) < wrong, -size, size)[:, None] for wrong, size in ((30, 0.4), (25, 4))
    )
    predictions = [SimpleNamespace(predictions=logits, label_ids=labels) for logits in (early, late)]
    losses = [trainer._measure(SingleLabel(), prediction) for prediction in predictions]
    assert losses[1][trainer._LOSS] < losses[0][trainer._LOSS]


def test_frozen_word_vectors_stay(tmp_path: Path) -> None:
    for trainable in (True, False):
        model = student(trainable)
        before = model.embedding.weight.clone()
        train_model(model, *sets(), Optimisation(epoch=1, batch_size=8), tmp_path / str(trainable))
        assert torch.equal(before, model.embedding.weight) is not trainable


def test_plain_adam_multiplies_its_learning_rate_after_each_epoch() -> None:
    optimizer, schedule = make_optimizer(student(), Optimisation(lr=0.1, lr_decay_rate=0.5), steps_an_epoch=2, steps=6)
    rates = []
    for _ in range(5):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])
    assert type(optimizer) is torch.optim.Adam


def test_the_transformers_optimizer_is_adamw_with_warm_up_and_a_linear_schedule() -> None:
    options = Optimisation(lr=0.1, epoch=2, warmup_epoch=1, weight_decay=0.3, use_transformers_optimizer=True)
    optimizer, schedule = make_optimizer(student(), options, steps_an_epoch=2, steps=4)
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.0, 0.05, 0.1, 0.05])
    assert type(optimizer) is torch.optim.AdamW
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]


def test_each_epoch_has_its_own_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epochs = []

    class Recorded(LengthBatchSampler):
        def __iter__(self) -> Iterator[list[int]]:
            batches = list(super().__iter__())
            epochs.append(batches)
            return iter(batches)

    monkeypatch.setattr(trainer, "LengthBatchSampler", Recorded)
    train_model(student(), *sets(), Optimisation(epoch=3, batch_size=8), tmp_path)
    assert len(epochs) == 3
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def counted() -> tuple[list[int], Progress]:
    """A progress that keeps what it is given: its total, then every number of steps that are done."""
    steps_seen: list[int] = []

    class Bar:
        def update(self, n: int) -> None:
            steps_seen.append(n)

        def note(self, text: str) -> None:
            pass

    @contextmanager
    def progress(description: str, total: int) -> Iterator[Bar]:
        steps_seen.append(total)
        yield Bar()

    return steps_seen, progress


@pytest.mark.parametrize(("steps", "evaluated"), [(5, [5]), (8, [8]), (19, [8, 16, 19])])
@pytest.mark.parametrize("transformers_optimizer", [False, True])
def test_a_training_in_steps_takes_so_many_and_is_evaluated_after_the_last(
    steps: int, evaluated: list[int], transformers_optimizer: bool, tmp_path: Path
) -> None:
    steps_seen, progress = counted()
    options = Optimisation(steps=steps, batch_size=8, use_transformers_optimizer=transformers_optimizer)
    training = train_model(student(), *sets(), options, tmp_path, progress=progress)  # an epoch has 8 steps
    assert [entry["step"] for entry in training.evaluations] == evaluated
    total, *done = steps_seen
    assert sum(done) == total == steps


@pytest.mark.parametrize(
    ("min_steps", "evaluated"),
    [(9, [8, 16]), (20, [8, 16, 24]), (95, [16, 32, 48, 64, 80, 96])],  # an epoch has 8 steps
)
def test_fewest_steps_make_more_epochs_with_ten_evaluations_at_most(
    min_steps: int, evaluated: list[int], tmp_path: Path
) -> None:
    steps_seen, progress = counted()
    options = Optimisation(epoch=1, min_steps=min_steps, batch_size=8, use_transformers_optimizer=True)
    training = train_model(student(), *sets(), options, tmp_path, progress=progress)
    assert [entry["step"] for entry in training.evaluations] == evaluated
    assert steps_seen[0] == evaluated[-1]


def test_fewest_steps_that_the_epochs_have_change_nothing(tmp_path: Path) -> None:
    options = Optimisation(epoch=3, min_steps=24, batch_size=8)
    training = train_model(student(), *sets(), options, tmp_path)
    assert [entry["step"] for entry in training.evaluations] == [8, 16, 24]


def test_with_steps_the_linear_schedule_ends_at_the_last_of_them() -> None:
    options = Optimisation(lr=0.1, steps=4, use_transformers_optimizer=True)
    optimizer, schedule = make_optimizer(student(), options, steps_an_epoch=100, steps=4)
    for _ in range(4):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0)


def test_gold_labels_next_to_logits_are_learnt_with_their_weight(tmp_path: Path) -> None:
    wrong = np.eye(2, dtype=np.float32)[1 - GOLD] * 4 - 2  # the teacher says the opposite of the labels
    known = np.where(np.arange(60) < 30, GOLD, NO_LABEL)
    train = encode(TEXTS, limited(TOKENIZER, 10), teacher_logits=wrong, gold=known)
    valid = sets()[1]
    for weight, accuracy in ((1.0, 1.0), (0.0, 0.0)):
        options = Optimisation(epoch=5, batch_size=8, gold_weight=weight, measure="loss")
        training = train_model(student(), train, valid, options, tmp_path / str(weight))
        assert training.evaluations[-1]["accuracy"] == accuracy


def test_a_student_learns_probabilities_and_gold_labels_together(tmp_path: Path) -> None:
    logits = np.eye(2, dtype=np.float32)[GOLD] * 4 - 2
    known = np.where(np.arange(60) % 3, GOLD, NO_LABEL)
    train = encode(TEXTS, limited(TOKENIZER, 10), teacher_logits=logits, gold=known)
    options = Optimisation(epoch=5, batch_size=8, loss="kl", temperature=2.0, gold_weight=0.5, measure="accuracy")
    assert train_model(student(), train, sets()[1], options, tmp_path).best == 1.0


def test_after_training_in_bfloat16_the_model_predicts_in_full_precision_again(tmp_path: Path) -> None:
    model = student()
    train, valid = sets()
    train_model(model, train, valid, Optimisation(epoch=1, batch_size=8, bf16=True), tmp_path)
    fresh = student()
    fresh.load_state_dict(model.state_dict())
    ids = torch.tensor([[3, 4, 5, 6]])
    assert torch.equal(model.eval()(ids).logits, fresh.eval()(ids).logits)
