"""What a student's files could ask too much with is refused in one line, through the C interface."""

import ctypes
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

Tensors = dict[str, NDArray[Any]]
Plan = dict[str, Any]
_WORDS = {"layer": "words", "table": "embedding.weight"}


@pytest.fixture(scope="module")
def core(core_library: Path) -> ctypes.CDLL:
    """The shared library."""
    library = ctypes.CDLL(str(core_library / "libpotstill-core.so"))
    library.potstill_open.restype = ctypes.c_void_p
    library.potstill_close.argtypes = [ctypes.c_void_p]
    return library


@pytest.fixture
def folder(core_students: list[Path], tmp_path: Path) -> Path:
    """A student that a test may damage."""
    found = next(folder for folder in core_students if folder.name == "bilstm-texts")
    return shutil.copytree(found, tmp_path / "student")


def problem(core: ctypes.CDLL, folder: Path, precision: str | None = "fp32") -> str:
    """What the core says of a folder; empty: it opens."""
    error = ctypes.create_string_buffer(1000)
    name = None if precision is None else precision.encode()
    student = core.potstill_open(str(folder).encode(), name, error, len(error))
    core.potstill_close(student)
    message = error.value.decode()
    assert (student is None) == bool(message)
    return message.removeprefix(f"{folder}/: ")


def _words_of_an_lstm(plan: Plan, tensors: Tensors) -> None:
    tensors["forwards.weight_ih_l0"] = np.zeros((76, 9, 3), np.float32)


def _wider_and_wider(plan: Plan, tensors: Tensors) -> None:
    plan["pool"] = [_WORDS, *({"layer": "concatenate", "x": [i] * 8} for i in range(30))]


def _wide_integers(plan: Plan, tensors: Tensors) -> None:
    plan["pool"] = [_WORDS, *({"layer": "concatenate", "x": [i] * 20} for i in range(3))]
    plan["pool"] += [{"layer": "quantize", "x": 3, "quantization": "q"}, {"layer": "linear", "x": 4, "weight": "w"}]
    tensors |= {"q": np.array([0.1, 3], np.float32), "w": np.ones((1, 72000), np.int8)}


def _one_matrix_many_times(plan: Plan, tensors: Tensors) -> None:
    plan["pool"] = [_WORDS] + 900 * [{"layer": "linear", "x": 0, "weight": "w", "bias": "b"}]
    tensors |= {"w": np.ones((1000, 9), np.float32), "b": np.ones(1000, np.float32)}


def _wide_window(plan: Plan, tensors: Tensors) -> None:
    plan["pool"] = [_WORDS, {"layer": "linear", "x": 0, "weight": "w"}]
    tensors["w"] = np.ones((1, 9, 1001), np.float32)


def _many_layers(plan: Plan, tensors: Tensors) -> None:
    plan["head"] = 1001 * [{"layer": "add", "x": 0, "bias": "output.bias"}]


def _a_name_of_two_lines(plan: Plan, tensors: Tensors) -> None:
    plan["head"] = [{"layer": "a\nb" + "c" * 10_000}]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_words_of_an_lstm, "sees several words"),
        (_wider_and_wider, "too many numbers"),
        (_wide_integers, "too many rows for integers"),
        (_one_matrix_many_times, "more matrices than there are weights"),
        (_wide_window, "sees too many words"),
        (_many_layers, "too many layers"),
        (_a_name_of_two_lines, "'a?bccc"),
    ],
)
def test_of_plan_and_weights(
    core: ctypes.CDLL, folder: Path, damage: Callable[[Plan, Tensors], None], words: str
) -> None:
    assert problem(core, folder) == ""
    plan, tensors = json.loads((folder / "plan.json").read_text()), load_file(folder / "model.safetensors")
    damage(plan, tensors)
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "model.safetensors").write_bytes(save(tensors))
    message = problem(core, folder)
    assert words in message
    assert message.isprintable()
    assert len(message) <= 300


def test_tensors_that_share_their_bytes(core: ctypes.CDLL, folder: Path) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["again"] = header["embedding.weight"]
    more = json.dumps(header).encode()
    more += b" " * (-len(more) % 8)
    path.write_bytes(len(more).to_bytes(8, "little") + more + content[8 + size :])
    assert "damaged" in problem(core, folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("tokenizer.json", '"vocab": {', '"vocab": {' + 1000 * '"film": 4,', "vocabulary"),
        (
            "tokenizer.json",
            '"added_tokens": [',
            '"added_tokens": [' + 1001 * '{"id": 2, "content": "[M]"},',
            "too many",
        ),
        ("tokenizer.json", '"content": "[MASK]"', f'"content": "{300 * "["}"', "damaged token"),
        ("config.json", '"0":', '"00":', "labels by their numbers"),
        ("config.json", '"1":', '"0":', "labels by their numbers"),
        ("config.json", '"id2label":', f'"deep": {100 * "["}{100 * "]"}, "id2label":', "config.json is damaged"),
    ],
)
def test_of_words_and_labels(core: ctypes.CDLL, folder: Path, name: str, old: str, new: str, words: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    assert words in problem(core, folder)


def test_a_pipe_is_not_waited_for(core: ctypes.CDLL, folder: Path) -> None:
    (folder / "plan.int8.json").unlink()
    os.mkfifo(folder / "plan.int8.json")
    assert problem(core, folder, None) == ""  # in floats
    assert "plan.int8.json cannot be read" in problem(core, folder, "int8")


@pytest.mark.parametrize(("kind", "a_row"), [("bilstm-texts", 2), ("bilstm-pairs", 1), ("bilstm-texts", 0)])
def test_another_number_of_texts_a_row_than_the_student_reads(
    core: ctypes.CDLL, core_students: list[Path], kind: str, a_row: int
) -> None:
    folder = next(folder for folder in core_students if folder.name == kind)
    student = ctypes.c_void_p(core.potstill_open(str(folder).encode(), b"fp32", None, 0))
    core.potstill_logits.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p]
    assert core.potstill_logits(student, None, 1, a_row, None) == 2
    core.potstill_close(student)
