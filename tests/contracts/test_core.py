"""The native core gives the logits of torch and of ONNX Runtime, for every student, precision and instruction set."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

import potstill
from core_students import TEXTS, write_core_student
from potstill.artifacts import CONFIG, PLANS, TOKENIZER
from potstill.corpus.encoded import encode
from potstill.corpus.texts import Text
from potstill.model_folder import ModelFolder
from potstill.runtime.core_graph import CoreGraph
from potstill.runtime.onnx_graphs import open_onnx
from potstill.runtime.student_graph import StudentGraph
from potstill.students import STUDENTS, StudentModel

potstill_core = pytest.importorskip("potstill_core")

INSTRUCTIONS = ("plain", "avx2", "avx512", "dotprod")


class Built(NamedTuple):
    """A saved student with random weights, and texts that it reads."""

    folder: Path
    model: StudentModel
    texts: Sequence[Text]


@pytest.fixture(scope="module", params=[(name, pairs) for name in STUDENTS for pairs in (False, True)], ids=str)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    name, pairs = request.param
    folder = write_core_student(tmp_path_factory.mktemp(name), name, pairs)
    texts = [(text, TEXTS[-1 - row]) for row, text in enumerate(TEXTS)] if pairs else TEXTS
    return Built(folder, AutoModelForSequenceClassification.from_pretrained(folder), texts)


def core_logits(built: Built, precision: str, instructions: str, texts: Sequence[Text]) -> NDArray[np.float32]:
    weights = json.loads((built.folder / PLANS[precision]).read_text())["weights"]
    files = [built.folder / name for name in (CONFIG, TOKENIZER, PLANS[precision], weights)]
    student = potstill_core.Student(*map(str, files), instructions)
    logits = np.zeros((len(texts), 3), np.float32)
    student.logits([part for text in texts for part in ([text] if isinstance(text, str) else text)], logits)
    return logits


def in_onnx(built: Built, precision: str) -> StudentGraph:
    graph = open_onnx(ModelFolder(built.folder), precision, 1)
    assert isinstance(graph, StudentGraph)
    return graph


def onnx_logits(built: Built, precision: str) -> NDArray[np.float32]:
    graph = in_onnx(built, precision)
    return graph.logits(graph.encode(built.texts))


def is_here(instructions: str) -> bool:
    try:
        potstill_core.Student("", "", "", "", instructions)
    except ValueError:
        return False
    except OSError:
        return True
    return False


HERE = [name for name in INSTRUCTIONS if is_here(name)]


def test_there_are_kernels_for_this_processor() -> None:
    assert "plain" in HERE


@pytest.mark.parametrize("instructions", HERE)
def test_in_floats_the_logits_are_those_of_torch_and_onnx_runtime(built: Built, instructions: str) -> None:
    logits = core_logits(built, "fp32", instructions, built.texts)
    tokenizer = Tokenizer.from_file(str(built.folder / TOKENIZER))
    batch = encode(built.texts, tokenizer, separately=True).pad(np.arange(len(built.texts)), 0)
    with torch.inference_mode():
        in_torch = built.model(**{name: torch.from_numpy(values) for name, values in batch.items()}).logits.numpy()
    assert np.abs(logits - in_torch).max() < 1e-4 < np.ptp(in_torch)
    assert np.abs(logits - onnx_logits(built, "fp32")).max() < 1e-4


@pytest.mark.parametrize("instructions", HERE)
def test_in_integers_the_logits_are_those_of_onnx_runtime(built: Built, instructions: str) -> None:
    # They differ where a number is halfway between two integers, in an LSTM's states, and in the ranges of pairs, whose
    # texts have one range here.
    logits, expected = core_logits(built, "int8", instructions, built.texts), onnx_logits(built, "int8")
    assert np.abs(logits - expected).max() < 0.1 * np.ptp(expected)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("instructions", HERE)
def test_a_text_alone_and_among_others_has_the_same_bits(built: Built, precision: str, instructions: str) -> None:
    together = core_logits(built, precision, instructions, built.texts)
    alone = [core_logits(built, precision, instructions, [text])[0] for text in built.texts]
    assert together.tobytes() == np.array(alone).tobytes()


def test_load_takes_the_core(built: Built) -> None:
    classifier = potstill.load(built.folder, threads=1)
    assert isinstance(classifier._graph, CoreGraph)
    assert np.array_equal(classifier.logits(built.texts), core_logits(built, "fp32", HERE[-1], built.texts))


def test_the_runtimes_split_text_alike(built: Built) -> None:
    counts, graph = potstill.load(built.folder, threads=1).count_words(built.texts), in_onnx(built, "fp32")
    assert counts is not None and counts.tolist() == graph.count_words(graph.encode(built.texts)).tolist()
