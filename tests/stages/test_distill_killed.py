"""The whole job killed in the middle and run again, on small stand-ins."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import potstill
from potstill.artifacts import read_json


def command(data: Path, teacher: Path, vectors: Path, out: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "potstill.cli", "distill", f"--data={data}", f"--teacher={teacher}", f"--out={out}"),
        *("--student=cnn", "--analyzer=whitespace", "--n_iter=3", f"--embedding_path={vectors}", "--n_frequent=50"),
        *("--teacher_epochs=3", "--student_epochs=4", "--student_batch_size=16", "--gold_epochs=0", "--threads=1"),
        *("--processes=1", "--quiet"),
    ]


def kill_when(given: list[str], sign: Path, pattern: str) -> None:
    """Start a command and kill it once a file of that pattern stands under ``sign``."""
    with subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not any(sign.glob(pattern)):
            time.sleep(0.005)
        ended = process.poll()
        process.kill()
    assert ended is None, "it ended before it could be killed"


def test_killed_in_two_trainings_and_run_again_it_ends_as_if_never_killed(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(tiny_data, tiny_encoder, tiny_vectors, whole), check=True, capture_output=True)
    given = command(tiny_data, tiny_encoder, tiny_vectors, killed)
    kill_when(given, killed, ".teacher.partial/.checkpoints/checkpoint-*/trainer_state.json")
    kill_when(given, killed, "students/.cnn.partial/.checkpoints/checkpoint-*/model.safetensors")
    subprocess.run(given, check=True, capture_output=True)
    texts = ["a truly fine film", "a dull one"]
    for model in ("teacher", "student"):
        one, other = (potstill.load(run / model).logits(texts) for run in (whole, killed))
        np.testing.assert_array_equal(one, other)
    stages = [read_json(run / "run.json")["stages"].keys() for run in (whole, killed)]
    assert stages[0] == stages[1]
