"""The tutorial's commands, as they stand in it, on a small file and small stand-ins."""

import re
from pathlib import Path

import pytest

from potstill.cli import main
from potstill.stages.evaluation import read_evaluation
from standins import sentences
from test_docs import ROOT, commands

PAGE = ROOT / "docs" / "tutorial.md"
SMALL = {  # what makes the commands fast; all else is as in the page
    "distill": "--analyzer=whitespace --n_iter=2 --n_frequent=50 --teacher_epochs=1 --student_epochs=1 "
    "--student_batch_size=16 --gold_epochs=1 --processes=1 --quiet",
    "export": "--max_drop=100 --quiet",
    "bench": "--quiet",
    "predict": "--quiet",
}
NOT_RUN = {"serve"}  # it would not end: tests/stages/test_serve.py starts it


def test_the_tutorial_runs_as_it_stands(
    tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f'"{text}",{label}\n' for text, label in sentences(400, seed=0))
    Path("intents.csv").write_text(f"text,label\n{rows}")
    Path("texts.txt").write_text("will it rain\na good film\n")
    vectors = f"--embedding_path={tiny_vectors}"
    for verb, words in commands(PAGE):
        given = [str(tiny_encoder) if word.startswith("sentence-transformers/") else word for word in words]
        if verb not in NOT_RUN:
            main([verb, *given, *SMALL[verb].split(), *([vectors] if verb == "distill" else [])])
    names = [score.name for score in read_evaluation(Path("runs/intents")).scores]
    assert [name for name in names if "gold" not in name][1:] == ["cnn", "ngram", "bilstm"]
    assert len(Path("labels.txt").read_text().splitlines()) == 2
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    results: dict[str, object] = {}
    exec(block, results)
    assert "student" in results
