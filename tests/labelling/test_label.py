"""What runs a teacher when it labels: each backend predicts as the model does, the less exact ones nearly so."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.corpus.streams import in_parts
from potstill.corpus.texts import Text
from potstill.corpus.transfer import read_transfer
from potstill.errors import PotstillError
from potstill.labelling.label import Unlabelled, label_texts, label_to_tsv
from potstill.progress import Progress, silent
from potstill.tasks import SingleLabel
from potstill.teachers import Backend, Teacher, open_teacher
from potstill.teachers.checkpoints import open_finetuned

TEXTS = ["a fine film", "dull", "the story is warm , a clever plot and it doesn't end", "a bad cast"]


@pytest.fixture(scope="module")
def folder(classifier_folder: Callable[[dict[int, str]], Path]) -> Path:
    return classifier_folder({0: "0", 1: "1"})


@pytest.fixture(scope="module")
def teacher(folder: Path) -> Teacher:
    return open_teacher(str(folder))


def unlabelled(texts: list[str], rows: int = 9) -> Unlabelled:
    return Unlabelled(len(texts), lambda: in_parts(texts, rows))


@pytest.mark.parametrize(
    ("backend", "tolerance"), [("torch", 1e-6), ("onnx", 1e-4), ("torch-bf16", 0.05), ("onnx-int8", 0.05)]
)
def test_every_backend_labels_as_the_model_does(
    backend: Backend, tolerance: float, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="potstill"):
        label_texts(unlabelled(TEXTS), open_teacher(str(folder), backend=backend), tmp_path)
    labelled = read_transfer(tmp_path)
    assert labelled.texts == TEXTS
    checkpoint = open_finetuned(str(folder))
    expected = [
        checkpoint.model(**checkpoint.tokenizer(text, return_tensors="pt")).logits[0].detach().numpy() for text in TEXTS
    ]
    np.testing.assert_allclose(labelled.logits, np.stack(expected), atol=tolerance)
    assert ("logits off by" in caplog.text) == (backend in ("torch-bf16", "onnx-int8"))


def test_a_folder_with_all_its_shards_is_left_alone(teacher: Teacher, tmp_path: Path) -> None:
    label_texts(unlabelled(TEXTS), teacher, tmp_path)
    label_texts(unlabelled(TEXTS), NoTeacher(), tmp_path)


class NoTeacher:
    """A teacher that may not be called."""

    def __init__(self, identity: str = "") -> None:
        self.labels, self.identity = ["0", "1"], identity

    def check(self, texts: Sequence[Text]) -> None:
        raise AssertionError

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        raise AssertionError


def written(path: Path, teacher: Teacher, **options: Any) -> list[list[str]]:
    texts, soft_labels = unlabelled(TEXTS, rows=2), SoftLabelFilter(**options)
    n_written = label_to_tsv(texts, teacher, path, inputs={}, task=SingleLabel(), soft_labels=soft_labels)
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert len(lines) == n_written
    return lines


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("corpus.transfer", "labelling.label"):
        monkeypatch.setattr(f"potstill.{module}.PART_ROWS", 2)


def test_texts_that_the_teacher_is_confident_of_are_written_as_logits_or_as_labels(
    teacher: Teacher, tmp_path: Path, small_parts: None
) -> None:
    lines = written(tmp_path / "all", teacher)
    assert [text for text, _ in lines] == TEXTS
    logits = np.array([field.split() for _, field in lines], dtype=np.float32)
    threshold = float(np.sort(SingleLabel().entropy(logits))[1:3].mean())
    confident = np.flatnonzero(SingleLabel().entropy(logits) <= threshold)
    assert len(confident) == 2
    assert written(tmp_path / "confident", teacher, entropy_threshold=threshold) == [lines[i] for i in confident]
    labels = [teacher.labels[i] for i in logits.argmax(axis=1)]
    hard = written(tmp_path / "hard", teacher, entropy_threshold=threshold, hard_labeling=True)
    assert hard == [[TEXTS[i], labels[i]] for i in confident]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "confident", "hard"]


def test_labels_of_an_uncertain_teacher_are_kept_for_another_threshold(
    teacher: Teacher, tmp_path: Path, small_parts: None
) -> None:
    with pytest.raises(PotstillError, match="confident of no text; give a larger one"):
        written(tmp_path / "none", teacher, entropy_threshold=0.0)
    assert not (tmp_path / "none").exists()
    assert len(written(tmp_path / "none", NoTeacher(teacher.identity))) == len(TEXTS)
