"""An ONNX file that is open: what it takes and gives, and that its failures are one line."""

from pathlib import Path

import numpy as np
import pytest

from potstill.errors import PotstillError
from potstill.runtime.session import OnnxSession
from standins import write_student

IDS = np.array([[2, 3, 4], [5, 6, 7]])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph of a student with random weights: a stand-in."""
    return write_student(tmp_path_factory.mktemp("student")) / "model.onnx"


def test_a_batch_has_a_row_of_logits_a_text(file: Path) -> None:
    session = OnnxSession(file, n_labels=2, threads=1)
    assert session.inputs == ["input_ids"] and not session.takes_one
    logits = session.run({"input_ids": IDS})
    assert logits.shape == session.empty_logits(2).shape == (2, 2) and logits.dtype == np.float32
    assert not np.array_equal(logits[0], logits[1])


def test_logits_of_other_labels_are_an_error(file: Path) -> None:
    with pytest.raises(PotstillError, match=r"it gives \(2, 2\) for \(2, 3\) texts and labels"):
        OnnxSession(file, n_labels=3, threads=1).run({"input_ids": IDS})


def test_an_id_beyond_the_table_is_one_line(file: Path) -> None:
    with pytest.raises(PotstillError, match="does not belong to its tokenizer") as raised:
        OnnxSession(file, n_labels=2, threads=1).run({"input_ids": IDS + 10_000})
    assert "\n" not in str(raised.value)


def test_a_damaged_file_is_one_line(file: Path, tmp_path: Path) -> None:
    (tmp_path / "half.onnx").write_bytes(file.read_bytes()[:100])
    with pytest.raises(PotstillError, match=r"half\.onnx: ") as raised:
        OnnxSession(tmp_path / "half.onnx", n_labels=2, threads=1)
    assert "\n" not in str(raised.value)
