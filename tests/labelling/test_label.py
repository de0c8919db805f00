"""What runs a teacher when it labels: each backend answers as the model does, the less exact ones nearly so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.corpus.encoded import encode, limited
from potstill.corpus.soft_labels import SoftLabelFilter
from potstill.corpus.streams import in_parts
from potstill.corpus.transfer import read_transfer
from potstill.errors import PotstillError
from potstill.labelling.label import Backend, Unlabelled, label_texts, label_to_tsv
from potstill.tasks import SingleLabel
from potstill.teachers.checkpoints import Checkpoint, open_finetuned

TEXTS = ["a fine film", "dull", "the story is warm , a clever plot and it doesn't end", "a bad cast"]


@pytest.fixture(scope="module")
def teacher(classifier_folder: Callable[[dict[int, str]], Path]) -> Checkpoint:
    return open_finetuned(str(classifier_folder({0: "0", 1: "1"})))


def unlabelled(texts: list[str], teacher: Checkpoint, rows: int = 9) -> Unlabelled:
    tokenizer = limited(teacher.tokenizer.backend_tokenizer, 60)
    return Unlabelled(len(texts), lambda: in_parts(texts, rows), lambda start, part: encode(part, tokenizer))


@pytest.mark.parametrize(
    ("backend", "tolerance"), [("torch", 1e-6), ("onnx", 1e-4), ("torch-bf16", 0.05), ("onnx-int8", 0.05)]
)
def test_every_backend_labels_as_the_model_does(
    backend: Backend, tolerance: float, teacher: Checkpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="potstill"):
        label_texts(unlabelled(TEXTS, teacher), teacher, tmp_path, backend=backend)
    found = read_transfer(tmp_path)
    assert found.texts == TEXTS
    expected = [
        teacher.model(**teacher.tokenizer(text, return_tensors="pt")).logits[0].detach().numpy() for text in TEXTS
    ]
    np.testing.assert_allclose(found.logits, np.stack(expected), atol=tolerance)
    assert ("logits off by" in caplog.text) == (backend in ("torch-bf16", "onnx-int8"))


def test_a_folder_with_all_its_shards_is_left_alone(
    teacher: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label_texts(unlabelled(TEXTS, teacher), teacher, tmp_path)
    monkeypatch.setattr("potstill.labelling.label.open_backend", None)
    label_texts(unlabelled(TEXTS, teacher), teacher, tmp_path)


def written(path: Path, teacher: Checkpoint, **options: Any) -> list[list[str]]:
    texts = unlabelled(TEXTS, teacher, rows=2)
    n_written = label_to_tsv(texts, teacher, path, inputs={}, soft_labels=SoftLabelFilter(**options))
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert len(lines) == n_written
    return lines


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("corpus.transfer", "labelling.label"):
        monkeypatch.setattr(f"potstill.{module}.PART_ROWS", 2)


def test_what_the_teacher_is_sure_of_is_written_as_logits_or_as_labels(
    teacher: Checkpoint, tmp_path: Path, small_parts: None
) -> None:
    lines = written(tmp_path / "all", teacher)
    assert [text for text, _ in lines] == TEXTS
    logits = np.array([field.split() for _, field in lines], dtype=np.float32)
    threshold = float(np.sort(SingleLabel().entropy(logits))[1:3].mean())
    sure = np.flatnonzero(SingleLabel().entropy(logits) <= threshold)
    assert len(sure) == 2
    assert written(tmp_path / "sure", teacher, entropy_threshold=threshold) == [lines[i] for i in sure]
    labels = [teacher.labels[i] for i in logits.argmax(axis=1)]
    hard = written(tmp_path / "hard", teacher, entropy_threshold=threshold, hard_labeling=True)
    assert hard == [[TEXTS[i], labels[i]] for i in sure]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "hard", "sure"]


def test_where_the_teacher_is_sure_of_nothing_its_labels_are_kept_for_another_threshold(
    teacher: Checkpoint, tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PotstillError, match="sure of no text; give a larger one"):
        written(tmp_path / "none", teacher, entropy_threshold=0.0)
    assert not (tmp_path / "none").exists()
    monkeypatch.setattr("potstill.labelling.label.open_backend", None)
    assert len(written(tmp_path / "none", teacher)) == len(TEXTS)
