"""A padded graph: which folders have it, its batches, and that word pieces are no words."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import potstill
from potstill.export.onnx_files import save_model
from potstill.runtime.padded_graph import PaddedGraph
from potstill.teachers.checkpoints import open_finetuned

TEXTS = ["a b c", "d", "e f a b c d e f", "zzz b", "a", "zzz"]


@pytest.fixture(scope="module")
def teacher(classifier_folder: Callable[[dict[int, str]], Path]) -> Path:
    """A random BERT classifier with its ONNX file: a stand-in."""
    folder = classifier_folder({0: "no", 1: "yes"})
    checkpoint = open_finetuned(str(folder))
    save_model(checkpoint.model, checkpoint.tokenizer, folder)
    return folder


def test_a_graph_with_a_mask_is_padded(teacher: Path) -> None:
    assert isinstance(potstill.load(teacher)._graph, PaddedGraph)


def test_texts_together_have_the_logits_of_each_alone(teacher: Path) -> None:
    classifier = potstill.load(teacher, threads=2)
    alone = np.concatenate([classifier.logits([text]) for text in TEXTS])
    np.testing.assert_allclose(classifier.logits(TEXTS), alone, atol=1e-5)
    assert classifier.logits([]).shape == (0, 2)


def test_word_pieces_are_no_words(teacher: Path) -> None:
    assert potstill.load(teacher).count_words(TEXTS) is None
