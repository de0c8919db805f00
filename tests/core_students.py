"""Small students of every kind as the native core reads them: random weights, in floats and in integers."""

from pathlib import Path
from typing import Any

import pytest
import torch

from potstill.artifacts import ONNX_MODEL
from potstill.corpus.characters import build_character_tokenizer
from potstill.corpus.words import build_tokenizer
from potstill.export.onnx_files import export_int8, save_model
from potstill.students import STUDENTS, wrap_tokenizer

WORDS = ("the", "film", "is", "good", "bad", ",", ".", "n't", "do", "it", "'s", "##s", "##ed", "é", *"abcdef")
TEXTS = (
    "the film is n't bad.",
    "it's good, the bad film",
    "a b c d e f",
    "unheard words only",
    "é e\u0301 FILMS filmed",
    " ".join(["a b the"] * 70),
)
_DENSENET = {
    "densenet_kernels": [[1, 1], [3, 3], [3, 5]],
    "densenet_first_num_filters": 6,
    "densenet_num_filters": 5,
    "densenet_last_num_filters": 7,
}
_SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"num_filters": 5, "kernel_sizes": [1, 2, 5], "fc_hidden_size": 6},
    "bilstm": {"hidden_size": 19, "fc_hidden_size": 6},
    "densenet-cnn": _DENSENET | {"num_filters": 5, "kernel_sizes": [2, 3]},
    "densenet-dsa": _DENSENET | {"dsa_num_attentions": 3, "dsa_r": 3, "dsa_dim": 5, "fc_hidden_size": 6},
    "ngram": {"num_buckets": 101, "ngram_width": 4, "fc_hidden_size": 6},
    "char-ngram": {"num_buckets": 1009, "ngram_width": 6},
}


def write_core_student(folder: Path, name: str, reads_pairs: bool = False) -> Path:
    """A student with random weights, in floats and in integers."""
    student = STUDENTS[name]
    characters = student.reads_characters
    build = build_character_tokenizer("abcdefghilmnorstu.,'", True) if characters else build_tokenizer(WORDS, True)
    tokenizer = wrap_tokenizer(build)
    parameters = {"embedding_width": 9, "num_labels": 3, "reads_pairs": reads_pairs} | _SMALL[name]
    torch.manual_seed(0)
    model = student(student.config_class(vocab_size=build.get_vocab_size(), **parameters))
    save_model(model, tokenizer, folder)
    texts = [(text, TEXTS[0]) for text in TEXTS] if reads_pairs else list(TEXTS)
    export_int8(model, folder / ONNX_MODEL, tokenizer.backend_tokenizer, texts)
    return folder


@pytest.fixture(scope="session")
def core_students(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders of a student of each kind, of single texts and of pairs."""
    parent = tmp_path_factory.mktemp("core_students")
    kinds = [(name, reads_pairs) for name in STUDENTS for reads_pairs in (False, True)]
    folders = [parent / f"{name}-{'pairs' if reads_pairs else 'texts'}" for name, reads_pairs in kinds]
    for folder, (name, reads_pairs) in zip(folders, kinds, strict=True):
        folder.mkdir()
        write_core_student(folder, name, reads_pairs)
    return folders
