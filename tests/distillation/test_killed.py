"""The whole job killed at a few points and run again: the short form of ``benchmarks/kills.py``, on small stand-ins."""

import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).parents[2] / "benchmarks" / "kills.py"
QUICK = ("5", "22", "35", "46")  # of 50 points: in the teacher's training, a student's, and two replacements


@pytest.mark.skipif(sys.platform != "linux", reason="the harness needs Linux")
def test_killed_and_run_again_it_ends_as_if_never_killed() -> None:
    command = [sys.executable, str(HARNESS), "--points=50", "--only", *QUICK]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    *kills, last = done.stdout.splitlines()
    assert last == "4 of 4 kills recovered"
    assert {kill.split()[1] for kill in kills} == {"new,", "redone,"}
    assert any(" within " in kill for kill in kills) and any(kill.endswith("noise: recovered") for kill in kills)
