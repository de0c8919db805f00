"""A training that is killed, or whose checkpoints are damaged, ends as if nothing had been."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from potstill.corpus.characters import build_character_tokenizer
from potstill.corpus.encoded import Encoded, encode, limited
from potstill.corpus.words import build_tokenizer
from potstill.errors import PotstillError
from potstill.training import trainer
from potstill.training.fitting import new_student
from potstill.training.options import Optimisation
from potstill.training.trainer import train_model
from potstill.training.vocabulary import Vocabulary

TOKENIZER = build_tokenizer("abcdef", lower=True)
GOLD = np.array([0, 1] * 24)
PARAMETERS = {"num_buckets": 1000}
OPTIONS = Optimisation(epoch=6, batch_size=8, lr=3e-3)  # an epoch has 6 steps


def texts(gold: Any) -> Encoded:
    return encode(["a b c", "d e f", "a c", "f d", "b a", "e d"] * 8, limited(TOKENIZER, 10), gold=gold)


TRAIN = texts(GOLD)
VALID = texts(np.roll(GOLD, 1) ^ GOLD[::-1])  # unlike train: the best figure does not come last


def train(work: Path, options: Optimisation = OPTIONS) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """A training in that folder: the weights and the evaluations it ends with."""
    table = np.random.default_rng(0).normal(size=(9, 12)).astype(np.float32)
    model = new_student(
        "ngram", {"dropout": 0.2}, Vocabulary(TOKENIZER, table), ["no", "yes"], embedding_trainable=True, seed=1
    )[0]
    training = train_model(model, TRAIN, VALID, options, work, description="this")
    return model.state_dict(), training.evaluations


def checkpoints(work: Path) -> list[int]:
    return sorted(int(path.name.rpartition("-")[2]) for path in work.glob("checkpoint-*"))


def same(first: tuple[Any, Any], second: tuple[Any, Any]) -> bool:
    return first[1] == second[1] and all(torch.equal(weight, second[0][name]) for name, weight in first[0].items())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Any, Any]]:
    """A training that was not killed: its checkpoints, and what it ended with."""
    work = tmp_path_factory.mktemp("whole")
    return work, train(work)


@pytest.fixture
def left(whole: tuple[Path, Any], tmp_path: Path) -> Path:
    """A copy of its checkpoints."""
    return shutil.copytree(whole[0], tmp_path / "left")


def best_step(evaluations: list[dict[str, float]]) -> int:
    return int(min(evaluations, key=lambda entry: entry["loss"])["step"])


def test_the_last_two_checkpoints_and_the_best_are_kept(whole: tuple[Path, tuple[Any, Any]]) -> None:
    work, (_, evaluations) = whole
    assert checkpoints(work) == sorted({best_step(evaluations), 30, 36}) and len(checkpoints(work)) == 3


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def alter(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, alter, Path.unlink])
@pytest.mark.parametrize("file", ["optimizer.pt", "model.safetensors", "trainer_state.json"])
def test_a_damaged_checkpoint_is_left_out_and_the_one_before_it_is_used(
    damage: Callable[[Path], None],
    file: str,
    left: Path,
    whole: tuple[Path, tuple[Any, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    damage(left / "checkpoint-36" / file)
    with caplog.at_level("INFO", logger="potstill"):
        assert same(train(left), whole[1])
    lines = [record.getMessage() for record in caplog.records if record.name == "potstill.training.resuming"]
    assert lines[0].startswith(f"this: checkpoint-36 is damaged and left out: {left / 'checkpoint-36' / file}: ")
    assert lines[1:] == ["this: going on from checkpoint-30"]


def test_an_unfinished_checkpoint_is_not_used(
    left: Path, whole: tuple[Path, tuple[Any, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    (left / "checkpoint-36" / "manifest.json").unlink()
    (left / "checkpoint-36" / "optimizer.pt").unlink()
    with caplog.at_level("INFO", logger="potstill"):
        assert same(train(left), whole[1])
    assert "checkpoint-36 was not finished: left out" in caplog.text
    assert "going on from checkpoint-30" in caplog.text


def test_where_the_best_checkpoint_is_damaged_training_begins_anew(
    left: Path, whole: tuple[Path, tuple[Any, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    alter(left / f"checkpoint-{checkpoints(left)[0]}" / "model.safetensors")
    with caplog.at_level("INFO", logger="potstill"):
        assert same(train(left), whole[1])
    assert "no checkpoint to resume from: starting from the beginning" in caplog.text


def test_over_when_it_was_killed_a_training_gives_its_best_weights_even_from_another_place(tmp_path: Path) -> None:
    expected = train(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    assert same(train(tmp_path / "new"), expected)


def test_training_goes_on_within_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "_STEPS_BETWEEN_EVALUATIONS", 2)
    expected = train(tmp_path)
    assert checkpoints(tmp_path)[-2:] == [34, 36]
    shutil.rmtree(tmp_path / "checkpoint-36")
    assert same(train(tmp_path), expected)


def test_a_student_with_a_sparse_table_goes_on_too(tmp_path: Path) -> None:
    tokenizer = build_character_tokenizer("abcdef", lower=True)
    spelt = encode(["a b c", "d e f", "ac", "fd", "ba", "ed"] * 8, limited(tokenizer, 10), gold=GOLD)

    def train_it() -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
        model: Any = new_student(
            "char-ngram", PARAMETERS, Vocabulary(tokenizer, None), ["0", "1"], embedding_trainable=True, seed=1
        )[0]
        model.fit_statistics(spelt)
        options = replace(OPTIONS, use_transformers_optimizer=True)
        training = train_model(model, spelt, spelt, options, tmp_path)
        return model.state_dict(), training.evaluations

    expected = train_it()
    assert expected[1][-1]["accuracy"] == 1.0 > expected[1][0]["accuracy"]
    shutil.rmtree(tmp_path / f"checkpoint-{checkpoints(tmp_path)[-1]}")
    assert same(train_it(), expected)


def test_a_sparse_table_takes_no_weight_decay(tmp_path: Path) -> None:
    vocabulary = Vocabulary(build_character_tokenizer("a", lower=True), None)
    model: Any = new_student("char-ngram", PARAMETERS, vocabulary, ["0"], embedding_trainable=True, seed=1)[0]
    model.fit_statistics(TRAIN)
    with pytest.raises(PotstillError, match="--weight_decay would change the whole of this student's table"):
        train_model(model, TRAIN, VALID, Optimisation(weight_decay=0.1, use_transformers_optimizer=True), tmp_path)


@pytest.mark.parametrize("steps", [4, 6, 11])
def test_a_training_in_steps_that_is_over_takes_no_more(steps: int, tmp_path: Path) -> None:
    options = Optimisation(steps=steps, batch_size=8, lr=3e-3)
    expected = train(tmp_path, options)
    assert same(train(tmp_path, options), expected)
    assert checkpoints(tmp_path)[-1] == steps


@pytest.mark.parametrize("lost", [0, 1])
def test_patience_is_counted_on_after_a_kill(lost: int, tmp_path: Path) -> None:
    options = Optimisation(epoch=20, batch_size=8, lr=3e-2, patience=3)
    expected = train(tmp_path, options)
    steps = [int(entry["step"]) for entry in expected[1]]
    assert steps[-1] == best_step(expected[1]) + 18 < 120, "it is to stop early"
    for step in checkpoints(tmp_path)[3 - lost :]:
        shutil.rmtree(tmp_path / f"checkpoint-{step}")
    assert same(train(tmp_path, options), expected)
