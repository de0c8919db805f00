"""The two kinds of graphs: which one a folder has, how they make batches, what they know of words."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

import potstill
from potstill.export.onnx_files import save_model
from potstill.runtime.padded_graph import PaddedGraph
from potstill.runtime.session import OnnxSession
from potstill.runtime.student_graph import StudentGraph
from potstill.teachers.checkpoints import open_finetuned
from standins import write_student

TEXTS = ["a b c", "d", "e f a b c d e f", "zzz b", "a", "zzz"]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights: a stand-in."""
    return write_student(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def teacher(classifier_folder: Callable[[dict[int, str]], Path]) -> Path:
    """A random BERT classifier with its ONNX file: a stand-in."""
    folder = classifier_folder({0: "no", 1: "yes"})
    checkpoint = open_finetuned(str(folder))
    save_model(checkpoint.model, checkpoint.tokenizer, folder)
    return folder


def write_masked_graph(path: Path) -> None:
    """A graph with a mask, whose logits are the number of a text's tokens and its negative."""
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    nodes = [
        helper.make_node("ReduceSum", ["attention_mask", "axis"], ["count"], keepdims=1),
        helper.make_node("Cast", ["count"], ["positive"], to=TensorProto.FLOAT),
        helper.make_node("Neg", ["positive"], ["negative"]),
        helper.make_node("Concat", ["positive", "negative"], ["logits"], axis=1),
    ]
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])]
    graph = helper.make_graph(nodes, "counts", inputs, outputs, [axis])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())


def test_a_graph_without_a_mask_is_run_by_length_and_one_with_a_mask_is_padded(student: Path, teacher: Path) -> None:
    assert isinstance(potstill.load(student)._graph, StudentGraph)
    assert isinstance(potstill.load(teacher)._graph, PaddedGraph)


def test_a_student_whose_graph_has_a_mask_is_padded_too(student: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(student, tmp_path / "copy"))
    write_masked_graph(copy / "model.onnx")
    classifier = potstill.load(copy)
    assert isinstance(classifier._graph, PaddedGraph) and classifier.count_words(TEXTS) is None
    assert classifier.logits(TEXTS)[:, 0].tolist() == [3, 1, 8, 2, 1, 1]


@pytest.mark.parametrize("kind", ["student", "teacher"])
def test_texts_together_have_the_logits_of_each_alone(kind: str, request: pytest.FixtureRequest) -> None:
    classifier = potstill.load(request.getfixturevalue(kind), threads=2)
    alone = np.concatenate([classifier.logits([text]) for text in TEXTS])
    np.testing.assert_allclose(classifier.logits(TEXTS), alone, atol=1e-5)
    assert classifier.logits([]).shape == (0, 2)


def test_a_student_knows_which_words_it_does_not_know(student: Path) -> None:
    counts = potstill.load(student).count_words(TEXTS)
    assert counts is not None and counts.tolist() == [[3, 0], [1, 0], [8, 0], [2, 1], [1, 0], [1, 1]]
    none = potstill.load(student).count_words([])
    assert none is not None and none.shape == (0, 2)


def test_word_pieces_are_no_words(teacher: Path) -> None:
    assert potstill.load(teacher).count_words(TEXTS) is None


def test_a_batch_has_texts_of_one_length_within_the_budget(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    run = OnnxSession.run

    def noting(session: OnnxSession, inputs: dict[str, Any]) -> Any:
        shapes.append(inputs["input_ids"].shape)
        return run(session, inputs)

    monkeypatch.setattr("potstill.runtime.student_graph._WORD_BUDGET", 4)
    monkeypatch.setattr(OnnxSession, "run", noting)
    potstill.load(student, threads=1).logits(["a b", "c", "d e", "f a", "b"])
    assert shapes == [(2, 2), (1, 2), (2, 1)]
