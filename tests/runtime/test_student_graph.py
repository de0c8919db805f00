"""A student's graph: which folders have it, how it makes batches, what it knows of words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

import potstill
from potstill.runtime.session import OnnxSession
from potstill.runtime.student_graph import StudentGraph
from standins import write_student

pytestmark = pytest.mark.usefixtures("without_core")
TEXTS = ["a b c", "d", "e f a b c d e f", "zzz b", "a", "zzz"]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights: a stand-in."""
    return write_student(tmp_path_factory.mktemp("student"))


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


def test_a_graph_without_a_mask_is_run_by_length(student: Path) -> None:
    assert isinstance(potstill.load(student)._graph, StudentGraph)


def test_a_student_whose_graph_has_a_mask_is_run_by_length_too(tmp_path: Path) -> None:
    folder = write_student(tmp_path / "student")
    write_masked_graph(folder / "model.onnx")
    classifier = potstill.load(folder)
    assert isinstance(classifier._graph, StudentGraph)
    assert classifier.logits(TEXTS)[:, 0].tolist() == [3, 1, 8, 2, 1, 1]


def test_texts_together_have_the_logits_of_each_alone(student: Path) -> None:
    classifier = potstill.load(student, threads=2)
    alone = np.concatenate([classifier.logits([text]) for text in TEXTS])
    np.testing.assert_allclose(classifier.logits(TEXTS), alone, atol=1e-5)
    assert classifier.logits([]).shape == (0, 2)


def test_a_student_knows_which_words_it_does_not_know(student: Path) -> None:
    counts = potstill.load(student).count_words(TEXTS)
    assert counts is not None and counts.tolist() == [[3, 0], [1, 0], [8, 0], [2, 1], [1, 0], [1, 1]]
    none = potstill.load(student).count_words([])
    assert none is not None and none.shape == (0, 2)


def test_a_text_of_invisible_characters_is_one_unknown_word(student: Path) -> None:
    classifier = potstill.load(student)
    unknown, invisible = classifier.logits(["\u2603", "\u200b"])
    assert np.array_equal(unknown, invisible)


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
