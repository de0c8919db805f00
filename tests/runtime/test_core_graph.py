"""A student's files in the native core: several threads, forks, what is damaged, and without the core."""

import json
import logging
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

import potstill
from potstill.artifacts import read_json, write_json
from potstill.corpus.words import word_splitter
from potstill.runtime.core_graph import CoreGraph, word_spans
from potstill.runtime.student_graph import StudentGraph
from standins import refused, write_student

potstill_core = pytest.importorskip("potstill_core")

TEXTS = ["a b c", "d", "e f a b c d e f", "zzz b", "a", "zzz"]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights: a stand-in."""
    return write_student(tmp_path_factory.mktemp("student"))


@pytest.fixture
def copy(student: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(student, tmp_path / "copy"))


def test_without_the_core_onnx_runtime_is_taken_and_that_is_said_once(
    student: Path, without_core: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        first, second = (potstill.load(student, threads=1) for _ in range(2))
    assert isinstance(first._graph, StudentGraph) and isinstance(second._graph, StudentGraph)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["the native core is not built here"]


def test_a_student_of_before_there_was_a_core_runs_in_onnx_runtime(copy: Path) -> None:
    expected = potstill.load(copy).logits(TEXTS)
    (copy / "plan.json").unlink()
    classifier = potstill.load(copy)
    assert isinstance(classifier._graph, StudentGraph)
    assert np.allclose(classifier.logits(TEXTS), expected, atol=1e-4)


def test_many_texts_on_several_threads_have_the_same_bits(student: Path) -> None:
    texts = [" ".join(np.random.default_rng(row).choice(list("abcdef"), row % 20 + 1)) for row in range(700)]
    alone = potstill.load(student, threads=1).logits(texts)
    assert potstill.load(student, threads=3).logits(texts).tobytes() == alone.tobytes()


def test_threads_may_share_a_classifier(student: Path) -> None:
    classifier = potstill.load(student, threads=1)
    expected, found = classifier.logits(TEXTS).tobytes(), set()

    def work() -> None:
        for _ in range(200):
            found.add(classifier.logits(TEXTS).tobytes())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {expected}


def test_a_forked_process_predicts(student: Path) -> None:
    classifier = potstill.load(student, threads=2)
    expected = classifier.logits(TEXTS).tobytes()
    child = os.fork()
    if not child:
        os._exit(0 if classifier.logits(TEXTS).tobytes() == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("name", ["config.json", "precision.json", "plan.json"])
@pytest.mark.parametrize("content", ["[]", "4", "null", '"text"', "[" * 100_000, b"\xff\xfe"])
def test_a_file_that_is_no_json_object_is_named(copy: Path, name: str, content: str | bytes) -> None:
    (copy / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(copy, rf"{name}: not a JSON (object|file)")


def test_more_labels_than_logits_are_one_line(copy: Path) -> None:
    write_json(copy / "config.json", read_json(copy / "config.json") | {"id2label": {"0": "a", "1": "b", "2": "c"}})
    refused(copy, "does not give one number for each label")


@pytest.mark.parametrize("weights", ["../secret", "/etc/passwd", "", None, 4, "plan.int8.safetensors"])
def test_a_plan_names_no_weights_but_its_own(copy: Path, weights: object) -> None:
    write_json(copy / "plan.json", read_json(copy / "plan.json") | {"weights": weights})
    refused(copy, "does not name its weights")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": 2}, "the plan is of another version"),
        ({"pool": []}, "no layer that gives a text's vector"),
        ({"pool": [{"layer": "dream"}]}, "a layer that this version does not know: 'dream'"),
        ({"pool": [{"layer": "words", "table": "nowhere"}]}, "the weights have no 'nowhere'"),
        ({"pool": [{"layer": "linear", "x": 7}]}, "no earlier value for 'x'"),
        ({"head": [{"layer": "words", "table": "embedding.weight"}]}, "the plan reads text again"),
        ({"tokenizer": {"reads": "lips"}}, "does not say what its tokenizer reads"),
    ],
)
def test_a_plan_that_does_not_fit_says_why(copy: Path, change: dict[str, object], complaint: str) -> None:
    write_json(copy / "plan.json", read_json(copy / "plan.json") | change)
    refused(copy, complaint)


def test_a_vocabulary_beyond_the_models_is_one_line(copy: Path) -> None:
    tokenizer = json.loads((copy / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["far"] = 10_000_000
    (copy / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused(copy, "has not the vocabulary of this student")


def test_arguments_of_another_kind_are_errors(student: Path) -> None:
    core = potstill.load(student, threads=1)._graph._student  # type: ignore[attr-defined]
    logits = np.zeros((1, 2), np.float32)
    for texts, array, error in [
        (("a",), logits, TypeError),
        ([b"a"], logits, TypeError),
        (["a", "b"], logits, ValueError),
        (["\ud800"], logits, UnicodeEncodeError),
        (["a"], b"12345678", BufferError),
    ]:
        with pytest.raises(error):
            core.logits(texts, array)
    with pytest.raises(ValueError, match="not opened"):
        potstill_core.Student.__new__(potstill_core.Student).encode("a")


def test_the_core_is_used_by_load(student: Path) -> None:
    assert isinstance(potstill.load(student)._graph, CoreGraph)


@pytest.mark.parametrize("text", ["It isn't 1,000.5 é e\u0301, ...", "", " ", "영화는 재미있다", "a\u200bb\u00ad c"])
def test_words_are_those_of_the_word_splitter(text: str) -> None:
    assert word_spans(text) == [span for _, span in word_splitter().pre_tokenize_str(text)]


def test_without_the_core_words_are_the_same(without_core: None) -> None:
    assert word_spans("It isn't.") == [(0, 2), (3, 5), (5, 8), (8, 9)]
