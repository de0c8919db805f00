"""What every student of pairs keeps to: one vector a text, the same logits in torch, ONNX Runtime and prediction."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import potstill
from potstill.corpus.characters import build_character_tokenizer
from potstill.corpus.encoded import Encoded, encode, limited
from potstill.corpus.words import build_tokenizer
from potstill.errors import PotstillError
from potstill.export.onnx_files import export_int8, save_model
from potstill.students import STUDENTS, StudentModel, find_student
from potstill.teachers.inference import in_torch, predict_logits
from potstill.training.fitting import new_student
from potstill.training.vocabulary import Vocabulary

WORDS = [f"w{letter}" for letter in "abcdefgh"]
LABELS = ["entailment", "neutral", "contradiction"]
PAIRS = [("wa wb wc", "wd"), ("we", "wa wb wc wd wf"), ("wa wb wc", "wh"), ("zzz", "wa wb")]
NAMES = sorted(STUDENTS)


def vocabulary_of(name: str) -> Vocabulary:
    if find_student(name).reads_characters:
        return Vocabulary(build_character_tokenizer("wabcdefgh", lower=True), None)
    table = np.random.default_rng(0).normal(size=(11, 16)).astype(np.float32)
    return Vocabulary(build_tokenizer(WORDS, lower=True), table)


def build(name: str) -> tuple[StudentModel, Any]:
    vocabulary = vocabulary_of(name)
    model, tokenizer = new_student(name, {}, vocabulary, LABELS, embedding_trainable=True, seed=1, reads_pairs=True)
    student: StudentModel = model.eval()  # type: ignore[no-untyped-call]
    return student, tokenizer


def encoded(tokenizer: Any, pairs: Any = PAIRS) -> Encoded:
    return encode(pairs, limited(tokenizer.backend_tokenizer, 50), separately=True)


@pytest.fixture(scope="module", params=NAMES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved student with random weights, in floats and in 8-bit integers."""
    path = tmp_path_factory.mktemp(request.param)
    model, tokenizer = build(request.param)
    save_model(model, tokenizer, path)
    export_int8(model, path / "model.onnx", tokenizer.backend_tokenizer, PAIRS)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_no_logit_depends_on_padding_or_on_the_batch(name: str) -> None:
    model, tokenizer = build(name)
    together = predict_logits(in_torch(model), encoded(tokenizer), pad_id=0)
    for row, pair in enumerate(PAIRS):
        alone = predict_logits(in_torch(model), encoded(tokenizer, [pair]), pad_id=0)
        np.testing.assert_allclose(together[row], alone[0], atol=1e-5)
    assert together.shape == (4, 3) and np.abs(together[0] - together[2]).max() > 1e-4  # the second text counts


@pytest.mark.parametrize("name", NAMES)
def test_a_student_of_pairs_needs_the_second_text(name: str) -> None:
    model, _ = build(name)
    with pytest.raises(ValueError, match="reads pairs of texts: give pair_input_ids too"):
        model(torch.ones((1, 3), dtype=torch.long))


def test_prediction_has_the_logits_of_the_model(folder: Path) -> None:
    student, (model, tokenizer) = potstill.load(folder, threads=2), build(folder.name.rstrip("0123456789"))
    expected = predict_logits(in_torch(model), encoded(tokenizer), pad_id=0)
    np.testing.assert_allclose(student.logits(PAIRS), expected, atol=1e-4)
    np.testing.assert_allclose(student.logits(PAIRS[:1]), expected[:1], atol=1e-4)
    assert student.count_words(PAIRS[3:]).tolist()[0][1] > 0  # type: ignore[union-attr]
    int8 = potstill.load(folder, precision="int8")
    assert np.abs(int8.logits(PAIRS) - expected).max() < 0.2 * max(1.0, float(np.abs(expected).max()))


def test_single_texts_are_refused_and_pairs_where_single_ones_are_read(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"text 1 is a single text: this student takes pairs"):
        potstill.load(folder).predict(["wa"])
    name = folder.name.rstrip("0123456789")
    save_model(*new_student(name, {}, vocabulary_of(name), LABELS, embedding_trainable=True, seed=1), tmp_path)
    with pytest.raises(PotstillError, match=r"a pair of texts: this student takes single texts only"):
        potstill.load(tmp_path).predict([("wa", "wb")])


def test_pairs_are_kept_and_read_from_a_folder(tmp_path: Path) -> None:
    from potstill.corpus.encoded import Chunk
    from potstill.training.encoding import encode_to_folder

    _, tokenizer = build("cnn")
    chunks = [Chunk(PAIRS[:2], np.array([0, 1])), Chunk(PAIRS[2:], np.array([2, 0]))]
    kept = encode_to_folder(chunks, tokenizer.backend_tokenizer, tmp_path / "set", n_ctx=50, separately=True, inputs={})
    whole = encoded(tokenizer)
    assert kept.pair is not None and whole.pair is not None
    for rows in ([0, 1, 2, 3], [3, 1]):
        ours, theirs = (each.pad(np.array(rows), 0) for each in (kept, whole))
        for key in ("input_ids", "pair_input_ids", "pair_attention_mask"):
            np.testing.assert_array_equal(ours[key], theirs[key])
