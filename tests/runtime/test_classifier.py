"""Prediction without torch."""

import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potstill
from potstill.artifacts import read_json, write_json
from potstill.corpus.words import build_tokenizer, unify_masks
from potstill.errors import PotstillError
from potstill.export.onnx_files import save_model
from potstill.morphology import MorphemeSplitter
from potstill.training.encoding import split_morphemes
from potstill.training.fitting import new_student
from potstill.training.vocabulary import Vocabulary
from standins import write_student


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights: a stand-in."""
    return write_student(tmp_path_factory.mktemp("student"))


def test_the_runtime_needs_neither_torch_nor_transformers(student: Path) -> None:
    code = (
        "import sys, potstill; found = potstill.load(sys.argv[1]).predict(['a b', 'c']);"
        "assert len(found) == 2; print([m for m in ('torch', 'transformers', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(student)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_labels_probabilities_and_logits_belong_together(student: Path) -> None:
    classifier = potstill.load(student, threads=1)
    texts = ["a b c", "d", "e f a b c d e f"]
    logits, probabilities = classifier.logits(texts), classifier.predict_proba(texts)
    assert classifier.predict(texts).tolist() == [classifier.classes_[i] for i in logits.argmax(axis=1)]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(
        np.log(probabilities[:, 1] / probabilities[:, 0]), logits[:, 1] - logits[:, 0], atol=1e-4
    )


def test_a_text_alone_and_among_others_has_the_same_logits(student: Path) -> None:
    classifier = potstill.load(student)
    texts = ["a", "b c d e f a b", "f e"]
    alone = np.concatenate([classifier.logits([text]) for text in texts])
    np.testing.assert_allclose(classifier.logits(texts), alone, atol=1e-5)


def test_no_texts_give_no_predictions(student: Path) -> None:
    assert potstill.load(student).logits([]).shape == (0, 2)


def test_a_single_string_is_refused(student: Path) -> None:
    with pytest.raises(PotstillError, match=r"write \[text\] for one"):
        potstill.load(student).predict("a b")


def test_half_a_character_is_refused(student: Path) -> None:
    with pytest.raises(PotstillError, match="text 2 has half a surrogate pair: give valid Unicode"):
        potstill.load(student).predict(["a", "b \ud800"])


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.onnx"])
def test_a_missing_file_is_named(student: Path, missing: str, tmp_path: Path) -> None:
    shutil.copytree(student, tmp_path / "copy", ignore=shutil.ignore_patterns("plan.json"))
    (tmp_path / "copy" / missing).unlink()
    with pytest.raises(PotstillError, match=f"no {missing} in it"):
        potstill.load(tmp_path / "copy")


@pytest.mark.parametrize("damaged", ["config.json", "tokenizer.json", "plan.json", "model.safetensors"])
def test_half_a_file_is_one_clear_line(student: Path, damaged: str, tmp_path: Path) -> None:
    shutil.copytree(student, tmp_path / "copy")
    content = (student / damaged).read_bytes()
    (tmp_path / "copy" / damaged).write_bytes(content[: len(content) // 2])
    with pytest.raises(PotstillError, match=r"damaged|not a JSON file") as raised:
        potstill.load(tmp_path / "copy")
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def korean_student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights that reads morphemes: a stand-in."""
    path = tmp_path_factory.mktemp("korean")
    words = ["영화", "는", "가", "재미있", "었", "다", "."]
    vocabulary = Vocabulary(build_tokenizer(words, lower=True), np.eye(10, 12, dtype=np.float32))
    labels = ["no", "yes"]
    model = new_student("cnn", {}, vocabulary, labels, embedding_trainable=True, seed=1, analyzer="mecab")
    save_model(*model, path)
    return path


RAW, SPLIT = "영화는   재미있었다.", "영화 는 재미있 었 다 ."


def test_a_student_of_morphemes_reads_raw_text_through_its_analyzer(korean_student: Path, tmp_path: Path) -> None:
    shutil.copytree(korean_student, tmp_path / "copy")
    config = read_json(tmp_path / "copy" / "config.json")
    assert config.pop("analyzer") == "mecab"
    write_json(tmp_path / "copy" / "config.json", config)
    plain = potstill.load(tmp_path / "copy")
    expected = plain.logits([SPLIT])
    np.testing.assert_allclose(potstill.load(korean_student).logits([RAW]), expected, atol=1e-6)
    assert np.abs(plain.logits([RAW]) - expected).max() > 1e-3


def test_transformers_reads_raw_text_through_the_same_analyzer(korean_student: Path) -> None:
    from transformers import AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(korean_student)
    assert tokenizer.convert_ids_to_tokens(tokenizer(RAW)["input_ids"]) == SPLIT.split()
    classify = pipeline("text-classification", str(korean_student), top_k=None, function_to_apply="none")
    entries_of_texts: Any = classify([RAW, "재미있다"])
    scores_of_texts = [{entry["label"]: entry["score"] for entry in scores} for scores in entries_of_texts]
    expected = potstill.load(korean_student).logits([RAW, "재미있다"])
    np.testing.assert_allclose([[scores["no"], scores["yes"]] for scores in scores_of_texts], expected, atol=1e-4)


def test_a_student_whose_analyzer_is_not_installed_says_what_to_install(
    korean_student: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mecab", None)
    with pytest.raises(PotstillError, match=r"pip install 'potstill\[korean\]'"):
        potstill.load(korean_student)


def test_an_analyzer_that_is_not_known_is_refused(korean_student: Path, tmp_path: Path) -> None:
    shutil.copytree(korean_student, tmp_path / "copy")
    write_json(tmp_path / "copy" / "config.json", read_json(korean_student / "config.json") | {"analyzer": "npc"})
    with pytest.raises(PotstillError, match="no morphological analyzer 'npc': choose one of khaiii, kiwi, mecab"):
        potstill.load(tmp_path / "copy")


def test_a_student_of_morphemes_takes_no_pairs(korean_student: Path) -> None:
    with pytest.raises(PotstillError, match="this student takes single texts only"):
        potstill.load(korean_student).predict([("영화", "재미있다")])


@pytest.mark.parametrize("analyzer", ["kiwi", "mecab"])
def test_texts_are_split_alike_in_training_and_in_prediction(analyzer: str) -> None:
    texts = ["그 영화는 [MASK]었다", "<mask>가 재미있음ㅋㅋ  ^^", "don't 3.5점", "갔을걸요"]
    expected = [unify_masks(text) for text in texts]
    assert list(split_morphemes(texts, analyzer, processes=1)) == MorphemeSplitter(analyzer)(expected)


def test_a_student_of_morphemes_runs_without_torch(korean_student: Path) -> None:
    code = (
        "import sys, potstill; potstill.load(sys.argv[1]).predict([sys.argv[2]]);"
        "print([m for m in ('torch', 'transformers', 'spacy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(korean_student), RAW], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_many_threads_at_once_get_the_same_logits(student: Path) -> None:
    classifier = potstill.load(student, threads=3)
    texts = ["a b c", "d", "e f a b c d e f", "f", "b a", "c d"] * 40
    expected = classifier.logits(texts)
    with ThreadPoolExecutor(8) as pool:
        alone = np.concatenate(list(pool.map(classifier.logits, [[text] for text in texts])))
        together = list(pool.map(classifier.logits, [texts] * 8))
    np.testing.assert_allclose(alone, expected, atol=1e-5)
    for logits in together:
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_the_temperature_of_the_configuration_divides_the_logits(student: Path, tmp_path: Path) -> None:
    shutil.copytree(student, tmp_path / "copy")
    config = read_json(student / "config.json")
    write_json(tmp_path / "copy" / "config.json", config | {"calibration_temperature": 2.0})
    plain, calibrated = potstill.load(student), potstill.load(tmp_path / "copy")
    np.testing.assert_array_equal(calibrated.logits(["a b"]), plain.logits(["a b"]))
    odds = [
        np.log(probabilities[0, 1] / probabilities[0, 0])
        for probabilities in (plain.predict_proba(["a b"]), calibrated.predict_proba(["a b"]))
    ]
    assert odds[0] != 0 and odds[1] == pytest.approx(odds[0] / 2, rel=1e-3)


def test_a_precision_without_a_file_names_the_command_that_makes_it(student: Path) -> None:
    with pytest.raises(PotstillError, match=r"no model.int8.onnx in it; make it with: potstill export .* --int8"):
        potstill.load(student, precision="int8")


def test_the_tokenizer_of_a_student_of_morphemes_can_be_pickled(korean_student: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(korean_student)
    expected = tokenizer(RAW)["input_ids"]
    assert pickle.loads(pickle.dumps(tokenizer))(RAW)["input_ids"] == expected
