"""What is a transformer's own as a teacher; the contract of every teacher is in tests/contracts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from potstill.artifacts import read_json
from potstill.errors import PotstillError
from potstill.tasks import SINGLE_LABEL
from potstill.teachers import check_teacher, open_teacher
from potstill.teachers.checkpoints import TextForm, open_encoder
from standins import change_json

Make = Callable[[dict[int, str]], Path]


@pytest.fixture
def folder(classifier_folder: Make) -> Path:
    return classifier_folder({0: "0", 1: "1"})


def test_another_tokenizer_backend_or_length_is_another_identity(folder: Path) -> None:
    identity = open_teacher(str(folder)).identity
    assert open_teacher(str(folder), n_ctx=7).identity != identity
    assert open_teacher(str(folder), backend="torch-bf16").identity != identity
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    vocab = tokenizer["model"]["vocab"]
    vocab["the"], vocab["film"] = vocab["film"], vocab["the"]
    file.write_text(json.dumps(tokenizer))
    assert open_teacher(str(folder)).identity != identity


def test_a_length_that_it_cannot_take_is_one_line(folder: Path) -> None:
    longest = read_json(folder / "config.json")["max_position_embeddings"]
    with pytest.raises(PotstillError, match=rf"takes \d+ tokens at most, n_ctx is {longest + 1}"):
        open_teacher(str(folder), n_ctx=longest + 1)


def test_a_classifier_of_another_task_is_one_line_but_may_be_an_encoder(folder: Path) -> None:
    change_json(folder / "config.json", problem_type="regression")
    with pytest.raises(PotstillError, match=rf"{folder}: its problem_type is 'regression', which is not"):
        open_teacher(str(folder))
    encoder = open_encoder(str(folder), ["a", "b", "c"], dropout=0.1, form=TextForm(n_ctx=8), seed=1)
    assert encoder.model.config.problem_type == SINGLE_LABEL


def test_a_teacher_that_is_nowhere_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match="nowhere"):
        check_teacher(str(tmp_path / "nowhere"))
