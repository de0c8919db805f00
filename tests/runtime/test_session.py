"""An ONNX file that is open: what it takes and gives, and that its failures are one line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from potstill.errors import PotstillError
from potstill.runtime.session import OnnxSession
from standins import write_student

MEASURE = """
import resource, sys
from pathlib import Path
import numpy as np
from potstill.runtime.session import OnnxSession

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

session = OnnxSession(Path(sys.argv[1]), n_labels=2, threads=1)
session.run({"input_ids": np.ones((1, 10), dtype=np.int64)})
before = resident()
session.run({"input_ids": np.ones((1, 200_000), dtype=np.int64)})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before, resident() - before)
"""
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


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_very_long_text_gives_its_memory_back(file: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE, str(file)], capture_output=True, text=True, check=True)
    at_most, kept = map(int, done.stdout.split())
    assert at_most > 50_000_000 and kept < at_most / 4


def test_a_damaged_file_is_one_line(file: Path, tmp_path: Path) -> None:
    (tmp_path / "half.onnx").write_bytes(file.read_bytes()[:100])
    with pytest.raises(PotstillError, match=r"half\.onnx: ") as raised:
        OnnxSession(tmp_path / "half.onnx", n_labels=2, threads=1)
    assert "\n" not in str(raised.value)
