"""Rounds of training: another one while accuracy on valid still rises."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from potstill.artifacts import read_json
from potstill.corpus.encoded import encode
from potstill.corpus.words import build_tokenizer
from potstill.training import fitting, trainer
from potstill.training.fitting import fit, new_student
from potstill.training.options import Optimisation
from potstill.training.trainer import Training
from potstill.training.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("measure", "rounds", "figures", "best"),
    [
        ("accuracy", 3, [(0.6, True), (0.8, True), (0.7, True)], 1),  # the best of all three; no fourth
        ("accuracy", 3, [(0.6, True), (0.8, False), (0.9, False)], 1),  # the second did not rise: no third
        ("accuracy", 1, [(0.6, True), (0.8, False)], 0),
        ("loss", 3, [(0.5, True), (0.3, True), (0.4, False)], 1),
    ],
)
def test_rounds_follow_while_it_rises_and_the_best_weights_are_kept(
    measure: Any,
    rounds: int,
    figures: list[tuple[float, bool]],
    best: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The trainings are stand-ins: each fills the model's weights with its number."""
    left: Iterator[tuple[int, tuple[float, bool]]] = iter(enumerate(figures))
    folders = []

    def train(model: Any, *arguments: Any, **options: Any) -> Training:
        folders.append(arguments[3])
        number, (figure, is_rising) = next(left)
        with torch.no_grad():
            for weight in model.parameters():
                weight.fill_(number)
        return Training(figure, [{"step": 10, "epoch": 2.0, "accuracy": figure}], 1.5, is_rising)

    monkeypatch.setattr(trainer, "train_model", train)
    monkeypatch.setattr(fitting, "calibrate_and_save", lambda *arguments: None)
    words = Vocabulary(build_tokenizer(["film"], lower=True), np.ones((4, 2), np.float32))
    model, tokenizer = new_student("cnn", {}, words, ["a", "b"], embedding_trainable=True, seed=1)
    texts = encode(["film"], words.tokenizer, label_ids=np.array([0]))
    options = Optimisation(measure=measure)
    training = fit(
        model, tokenizer, texts, texts, options, tmp_path, progress=None, description="", rounds=rounds  # type: ignore[arg-type]
    )  # fmt: skip
    made = len(folders)
    assert made == {3: sum(figure for _, figure in figures[:-1]) + 1, 1: 1}[rounds]
    assert len(set(folders)) == made  # each has checkpoints of its own
    assert {float(weight.detach().mean()) for weight in model.parameters()} == {float(best)}
    assert training.best == figures[best][0] and training.seconds == 1.5 * made
    assert [entry["step"] for entry in training.evaluations] == [10 * (number + 1) for number in range(made)]
    assert read_json(tmp_path / "training.json")["best"] == training.best
