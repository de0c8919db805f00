"""A forked process predicts as its parent did, and ends."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from potstill.export.onnx_files import save_model
from potstill.forks import PerProcess
from potstill.teachers.checkpoints import open_finetuned
from standins import write_student

pytestmark = pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no forks here")

_PREDICT = """
import os, sys, potstill
os.chdir(os.path.dirname(sys.argv[1]))
model = potstill.load(os.path.basename(sys.argv[1]), threads=2)
texts = ["a b", "c", "d e f", "the film"] * 20
expected = model.logits(texts)
os.chdir("/")
if not os.fork():
    same = abs(model.logits(texts) - expected).max() < 1e-5
    sys.exit(3 if same else 1)
if not os.fork():
    sys.exit(3)  # unused, it must end too
for _ in range(2):
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 3
assert abs(model.logits(texts) - expected).max() < 1e-5
"""
_SPLIT = """
import os, sys
from potstill.morphology import MorphemeSplitter
split, texts = MorphemeSplitter(sys.argv[1]), ["영화는 정말 재미있었다"] * 20
expected = split(texts)
if not os.fork():
    sys.exit(3 if split(texts) == expected else 1)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 3
"""


def run(code: str, argument: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, argument],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_students_child_predicts_and_ends(tmp_path: Path) -> None:
    run(_PREDICT, str(write_student(tmp_path / "student")))


def test_a_teachers_child_predicts_and_ends(classifier_folder: Callable[[dict[int, str]], Path]) -> None:
    folder = classifier_folder({0: "no", 1: "yes"})
    checkpoint = open_finetuned(str(folder))
    save_model(checkpoint.model, checkpoint.tokenizer, folder)
    run(_PREDICT, str(folder))


@pytest.mark.parametrize("analyzer", ["mecab", "kiwi"])
def test_an_analyzers_child_splits_and_ends(analyzer: str) -> None:
    run(_SPLIT, analyzer)


def test_a_value_is_made_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    class Value:
        def __init__(self) -> None:
            made.append(self)

    value = PerProcess(Value)
    assert value.get() is value.get() and len(made) == 1
    monkeypatch.setattr("potstill.forks.os.getpid", lambda: -1)
    assert value.get() is value.get() and len(made) == 2
