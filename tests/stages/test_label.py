"""What runs a teacher when it labels: each backend answers as the model does, the less exact ones nearly so."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from potstill.corpus.encoded import encode, limited
from potstill.corpus.transfer import read_transfer
from potstill.errors import PotstillError
from potstill.stages.label import Backend, label_texts
from potstill.teachers.checkpoints import Checkpoint, open_finetuned

TEXTS = ["a fine film", "dull", "the story is warm , a clever plot and it doesn't end", "a bad cast"]


@pytest.fixture(scope="module")
def teacher(classifier_folder: Callable[[dict[int, str]], Path]) -> Checkpoint:
    return open_finetuned(str(classifier_folder({0: "0", 1: "1"})))


@pytest.mark.parametrize(
    ("backend", "tolerance"), [("torch", 1e-6), ("onnx", 1e-4), ("torch-bf16", 0.05), ("onnx-int8", 0.05)]
)
def test_every_backend_labels_as_the_model_does(
    backend: Backend, tolerance: float, teacher: Checkpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoded = encode(TEXTS, limited(teacher.tokenizer.backend_tokenizer, 60))
    with caplog.at_level("INFO", logger="potstill"):
        label_texts(TEXTS, encoded, teacher, tmp_path, backend=backend)
    found = read_transfer(tmp_path)
    assert found.texts == TEXTS
    expected = [
        teacher.model(**teacher.tokenizer(text, return_tensors="pt")).logits[0].detach().numpy() for text in TEXTS
    ]
    np.testing.assert_allclose(found.logits, np.stack(expected), atol=tolerance)
    assert ("logits off by" in caplog.text) == (backend in ("torch-bf16", "onnx-int8"))


def test_other_texts_than_those_encoded_are_refused(teacher: Checkpoint, tmp_path: Path) -> None:
    encoded = encode(TEXTS, limited(teacher.tokenizer.backend_tokenizer, 60))
    with pytest.raises(PotstillError, match="3 texts, but 4 encoded ones"):
        label_texts(TEXTS[:3], encoded, teacher, tmp_path)
