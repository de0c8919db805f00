"""benchmarks/task_data.py: what a cut takes out of train is neither lost nor left in it; rare_labels.py reads it."""

from collections import Counter
from pathlib import Path

import pytest

import rare_labels
import task_data
from potstill.corpus.examples import read_examples
from potstill.corpus.splits import SPLITS
from standins import write_student


def test_labels_are_cut_in_train_and_valid_alone_and_their_texts_are_kept_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for split in ("train", "valid", "test"):
        lines = [f"{'abcdef'[row % 6]} {split} {row}\t{('no', 'yes', 'other')[row % 3]}\n" for row in range(300)]
        (data / f"{split}.txt").write_text("".join(lines))
    task_data.main(task_data.Options("rare", data, out, shares=(0.02,)))
    counts = {split: Counter(str(row.label) for row in read_examples(out / f"{split}.txt")) for split in SPLITS}
    (rare,) = {label for label, count in counts["train"].items() if count == 4}
    assert counts["train"].total() == counts["valid"].total() == 204 and counts["test"][rare] == 100
    left_out = read_examples(out / "left-out.txt")
    assert {row.label for row in left_out} == {rare} and len(left_out) == 96
    assert not {row.text for row in left_out} & {row.text for row in read_examples(out / "train.txt")}
    for name in ("teacher", "students/cnn"):
        write_student(tmp_path / "run" / name, labels=sorted(counts["train"]))
    capsys.readouterr()
    rare_labels.main(rare_labels.Options(tmp_path / "run", out))
    heads, _, teacher, student = capsys.readouterr().out.splitlines()
    assert f"{rare}, of 96" in heads and teacher.split()[1:] == student.split()[1:]
