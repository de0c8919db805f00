"""Small stand-ins for data, word vectors and a teacher, on disk: for tests, and benchmarks that need no accuracy."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potstill
from potstill.artifacts import read_json, write_json
from potstill.errors import PotstillError

POSITIVE = ("fine", "good", "bright", "warm", "clever")
NEGATIVE = ("dull", "bad", "flat", "cold", "silly")
NOUNS = ("film", "story", "plot", "cast", "scene", "ending")


def sentences(n: int, seed: int) -> list[tuple[str, str]]:
    """Labelled sentences of a small grammar."""
    generator = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        label = int(generator.integers(2))
        adjectives = (NEGATIVE, POSITIVE)[label]
        words = [str(generator.choice(NOUNS)), str(generator.choice(adjectives)), str(generator.choice(NOUNS))]
        tail = str(generator.choice(["and it doesn't end", "the critics say", "for all of us"]))
        rows.append((f"the {words[0]} is {words[1]} , a {words[2]} {tail}", str(label)))
    return rows


def write_data(folder: Path) -> Path:
    """A data folder of 60, 20 and 20 sentences."""
    for seed, (split, n) in enumerate((("train", 60), ("valid", 20), ("test", 20))):
        (folder / f"{split}.txt").write_text("".join(f"{text}\t{label}\n" for text, label in sentences(n, seed)))
    return folder


def write_reviews(folder: Path) -> Path:
    """The same as :func:`write_data`, in columns whose names nobody knows."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (split, n) in enumerate((("train", 60), ("valid", 20), ("test", 20))):
        rows = "".join(f'{number},"{text}",{label}\n' for number, (text, label) in enumerate(sentences(n, seed)))
        (folder / f"{split}.csv").write_text(f"id,opinion,verdict\n{rows}")
    return folder


def write_vectors(path: Path) -> Path:
    """A GloVe text file of vectors of 8 numbers."""
    generator = np.random.default_rng(0)
    words = sorted({word for text, _ in sentences(60, 0) for word in text.split()})
    path.write_text("".join(f"{word} {' '.join(f'{x:.4f}' for x in generator.normal(size=8))}\n" for word in words))
    return path


def write_word_pieces(folder: Path, lower: bool = True) -> Path:
    """A BERT tokenizer over the grammar's words."""
    from transformers import BertTokenizer

    letters = [chr(code) for code in range(33, 127)]
    words = sorted({word for text, _ in sentences(60, 0) for word in text.split()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters), *words]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    BertTokenizer(vocab=vocabulary, do_lower_case=lower).save_pretrained(folder)
    return folder


SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 130,
}


def write_encoder(folder: Path, lower: bool = True) -> Path:
    """A random BERT encoder without a classification layer."""
    import torch
    from transformers import BertConfig, BertModel

    write_word_pieces(folder, lower)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=400, **SMALL)).save_pretrained(folder)
    return folder


def write_student(
    folder: Path,
    name: str = "cnn",
    labels: Sequence[str] = ("no", "yes sir"),
    parameters: Mapping[str, Any] | None = None,
    problem_type: str | None = None,
    reads_pairs: bool = False,
) -> Path:
    """A student with random weights over the words a to f.

    :param parameters: of its configuration that are not the recipe's.
    """
    from potstill.corpus.words import build_tokenizer
    from potstill.export.onnx_files import save_model
    from potstill.training.fitting import new_student
    from potstill.training.vocabulary import Vocabulary

    vocabulary = Vocabulary(build_tokenizer("abcdef", lower=True), np.eye(9, 12, dtype=np.float32))
    settings: dict[str, Any] = {"embedding_trainable": True, "seed": 1}
    settings |= {"problem_type": problem_type, "reads_pairs": reads_pairs}
    save_model(*new_student(name, dict(parameters or {}), vocabulary, list(labels), **settings), folder)
    return folder


def change_json(path: Path, **fields: Any) -> None:
    """Write some fields of a JSON file anew."""
    write_json(path, read_json(path) | fields)


def refused(folder: Path, complaint: str) -> None:
    """Loading the folder, or asking it, ends in one line."""
    with pytest.raises(PotstillError, match=complaint) as raised:
        potstill.load(folder, threads=1).predict(["a b", "\u2603"])
    assert "\n" not in str(raised.value)
