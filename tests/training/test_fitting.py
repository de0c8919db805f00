"""Rounds of training: another one while accuracy on valid still rises."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from potstill.artifacts import read_json
from potstill.corpus.encoded import encode
from potstill.corpus.words import build_tokenizer
from potstill.progress import silent
from potstill.training import fitting, trainer
from potstill.training.fitting import fit, new_student
from potstill.training.options import Optimisation
from potstill.training.trainer import Training
from potstill.training.vocabulary import Vocabulary

RISING, LOWER, LEVEL = (0.4, 0.5, 0.6), (0.3, 0.4, 0.5), (0.6, 0.6, 0.6)
HIGHER = (0.6, 0.7, 0.8)


@pytest.mark.parametrize(
    ("measure", "most", "rounds", "n_made", "best"),
    [
        ("accuracy", 3, [RISING, HIGHER, LOWER], 3, 1),  # the best of three; no fourth
        ("accuracy", 3, [RISING, HIGHER, HIGHER], 3, 1),
        ("accuracy", 3, [RISING, LOWER, HIGHER], 2, 0),  # the second rose, but not above the first: no third
        ("accuracy", 3, [RISING, LEVEL, HIGHER], 2, 0),
        ("accuracy", 3, [LEVEL, HIGHER], 1, 0),
        ("accuracy", 1, [RISING, HIGHER], 1, 0),
        ("loss", 2, [RISING, HIGHER], 2, 1),
    ],
)
def test_rounds_follow_while_it_rises_and_the_best_weights_are_kept(
    measure: Any,
    most: int,
    rounds: list[tuple[float, ...]],
    n_made: int,
    best: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The trainings are stand-ins: each fills the model's weights with its number."""
    folders: list[Path] = []

    def train(model: Any, *arguments: Any, **options: Any) -> Training:
        number = len(folders)
        folders.append(arguments[3])
        with torch.no_grad():
            for weight in model.parameters():
                weight.fill_(number)
        history = [{"step": 10 * at, "epoch": at, "accuracy": figure} for at, figure in enumerate(rounds[number], 1)]
        figure = max(rounds[number]) if measure == "accuracy" else 1 - max(rounds[number])
        return Training(figure, history, 1.5, trainer.is_rising(history))

    monkeypatch.setattr(trainer, "train_model", train)
    monkeypatch.setattr(fitting, "calibrate_and_save", lambda *arguments, **options: None)
    words = Vocabulary(build_tokenizer(["film"], lower=True), np.ones((4, 2), np.float32))
    model, tokenizer = new_student("cnn", {}, words, ["a", "b"], embedding_trainable=True, seed=1)
    texts = encode(["film"], words.tokenizer, gold=np.array([0]))
    options = Optimisation(measure=measure)
    training = fit(
        model, tokenizer, texts, texts, options, tmp_path, progress=silent, description="teacher", rounds=most
    )
    assert len(set(folders)) == n_made  # each has checkpoints of its own
    assert {float(weight.detach().mean()) for weight in model.parameters()} == {float(best)}
    assert training.best == (max(rounds[best]) if measure == "accuracy" else 1 - max(rounds[best]))
    assert training.seconds == 1.5 * n_made
    assert [entry["step"] for entry in training.evaluations] == [10 * at for at in range(1, 3 * n_made + 1)]
    assert read_json(tmp_path / "training.json")["best"] == training.best


def test_a_model_of_several_labels_starts_from_their_shares() -> None:
    words = Vocabulary(build_tokenizer(["film"], lower=True), np.ones((4, 2), np.float32))
    gold = np.array([[1, 0], [0, 0], [1, 0], [1, 0], [-100, -100]], dtype=np.float32)
    texts = encode(["film"] * 5, words.tokenizer, gold=gold)
    task = "multi_label_classification"
    model: Any = new_student("cnn", {}, words, ["a", "b"], embedding_trainable=True, seed=1, problem_type=task)[0]
    fitting._set_first_logits(model, texts)
    np.testing.assert_allclose(model.output.bias.detach().sigmoid().numpy(), [4 / 6, 1 / 6], rtol=1e-5)
    unknown = encode(["film"], words.tokenizer, gold=gold[4:])
    fitting._set_first_logits(model, unknown)
    np.testing.assert_allclose(model.output.bias.detach().sigmoid().numpy(), [4 / 6, 1 / 6], rtol=1e-5)
