"""A padded graph: which folders have it, its batches, and that word pieces are no words."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import potstill
from potstill.errors import PotstillError
from potstill.export.onnx_files import save_model
from potstill.runtime.padded_graph import PaddedGraph
from potstill.teachers import open_teacher
from potstill.teachers.checkpoints import open_finetuned
from standins import change_json

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


@pytest.mark.parametrize("how", ["mean", "confident", "first"])
def test_a_long_text_has_the_logits_of_its_windows_in_torch_and_here(
    how: str, classifier_folder: Callable[[dict[int, str]], Path]
) -> None:
    folder = classifier_folder({0: "no", 1: "yes"})
    change_json(folder / "config.json", long_texts=how)
    checkpoint = open_finetuned(str(folder))
    checkpoint.tokenizer.model_max_length = 6
    save_model(checkpoint.model, checkpoint.tokenizer, folder)
    texts, classifier = ["a b c d e f a b", *TEXTS], potstill.load(folder)
    logits = classifier.logits(texts)
    np.testing.assert_allclose(open_teacher(str(folder))(texts), logits, atol=1e-4)
    halves = classifier.logits(["a b c d", "e f a b"])  # 4 tokens and 2 special ones
    best = int(classifier.task.confidence(classifier.task.probabilities(halves)).argmax())
    expected = {"mean": halves.mean(axis=0), "confident": halves[best], "first": halves[0]}
    np.testing.assert_allclose(logits[0], expected[how], atol=1e-4)


def test_another_way_to_read_long_texts_is_one_line(teacher: Path, tmp_path: Path) -> None:
    copy = tmp_path / "teacher"
    shutil.copytree(teacher, copy)
    change_json(copy / "config.json", long_texts="last")
    with pytest.raises(PotstillError, match=r"long_texts is 'last': write one of mean, confident, first"):
        potstill.load(copy)
