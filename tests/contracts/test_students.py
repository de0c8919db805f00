"""What every student keeps to: those of ``STUDENTS``, and one that defines nothing but ``pool`` and ``head``."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, pipeline

import potstill
from plain_student import PLAIN, MeanForSequenceClassification, registered
from potstill.corpus.characters import build_character_tokenizer
from potstill.corpus.vector_files import load_vectors
from potstill.corpus.words import build_tokenizer
from potstill.errors import PotstillError
from potstill.export.onnx_files import export_int8, save_model
from potstill.students import STUDENTS, StudentModel, find_student
from potstill.training.fitting import new_student
from potstill.training.vocabulary import Vocabulary

WORDS = [f"w{chr(97 + i)}" for i in range(20)]
CHARACTERS = "wabcdefghijklmnopqr"  # with the mark of a space as many as words
LABELS = ["bad", "so so", "good"]
OURS = dict(STUDENTS)
NAMES = [*sorted(OURS), PLAIN]


@pytest.fixture(scope="module", autouse=True)
def _plain_is_registered() -> Iterator[None]:
    with registered():
        yield


def vocabulary_of(name: str) -> Vocabulary:
    """23 tokens: words with random vectors, or characters."""
    if find_student(name).reads_characters:
        return Vocabulary(build_character_tokenizer(CHARACTERS, lower=True), None)
    table = np.random.default_rng(0).normal(size=(23, 16)).astype(np.float32)
    table[0] = 0
    return Vocabulary(build_tokenizer(WORDS, lower=True), table)


def build(name: str) -> StudentModel:
    model, _ = new_student(name, {}, vocabulary_of(name), LABELS, embedding_trainable=True, seed=1)
    student: StudentModel = model.eval()  # type: ignore[no-untyped-call]
    return student


@pytest.fixture(scope="module", params=NAMES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved student with random weights."""
    path = tmp_path_factory.mktemp(request.param)
    vocabulary = vocabulary_of(request.param)
    save_model(*new_student(request.param, {}, vocabulary, LABELS, embedding_trainable=True, seed=1), path)
    return path


def logits(model: torch.nn.Module, ids: torch.Tensor, **more: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        outputs: torch.Tensor = model(input_ids=ids, **more).logits
    return outputs


@pytest.mark.parametrize("name", NAMES)
def test_one_logit_a_label(name: str) -> None:
    model = build(name)
    assert logits(model, torch.randint(1, 23, (4, 9))).shape == (4, 3)


@pytest.mark.parametrize("name", NAMES)
def test_no_logit_depends_on_padding_or_on_the_batch(name: str) -> None:
    model = build(name)
    for length in (1, 2, 5, 30):
        ids = torch.randint(1, 23, (1, length))
        alone = logits(model, ids)
        others = torch.randint(1, 23, (3, 40))
        others[1, :length], others[1, length:] = ids[0], 0
        mask = (others != 0).long()
        torch.testing.assert_close(logits(model, others)[1:2], alone, atol=1e-5, rtol=0)
        torch.testing.assert_close(logits(model, others, attention_mask=mask)[1:2], alone, atol=1e-5, rtol=0)


def has_own_graph(folder: Path) -> bool:
    return folder.name != f"{PLAIN}0"


def test_the_onnx_file_has_the_logits_of_the_model(folder: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    names = [node.name for node in session.get_inputs()]
    assert names == (["input_ids"] if has_own_graph(folder) else ["input_ids", "attention_mask"])
    for batch, length in ((1, 1), (1, 30), (3, 5)):
        ids = torch.randint(1, 23, (batch, length))
        mask = torch.ones_like(ids)
        if not has_own_graph(folder):
            mask[0, 1:] = 0
        feed = {name: {"input_ids": ids, "attention_mask": mask}[name].numpy() for name in names}
        expected = logits(model, ids, attention_mask=mask)
        np.testing.assert_allclose(session.run(None, feed)[0], expected, atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def in_8_bits(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> potstill.Classifier:
    """The same student in 8-bit integers."""
    work = tmp_path_factory.mktemp("int8")
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    for name in ("config.json", "tokenizer.json", "model.onnx"):
        shutil.copy(folder / name, work)
    texts = [" ".join(np.random.default_rng(seed).choice(WORDS, 1 + seed % 30)) for seed in range(60)]
    file = export_int8(model, work / "model.onnx", Tokenizer.from_file(str(folder / "tokenizer.json")), texts)
    share = 0.35 if has_own_graph(folder) else 1  # 23 vectors are less than what the nodes take
    assert file.stat().st_size < share * (folder / "model.onnx").stat().st_size
    return potstill.load(work, threads=2, precision="int8")


def test_in_int8_a_student_has_nearly_the_same_logits(folder: Path, in_8_bits: potstill.Classifier) -> None:
    texts = ["wa", "wb wc " * 100, "never seen before", "we wf wg wh wi", "wa wb"]
    exact = potstill.load(folder).logits(texts)
    assert np.abs(in_8_bits.logits(texts) - exact).max() < 0.15


def test_a_text_alone_and_among_others_has_the_same_logits(folder: Path) -> None:
    texts = ["wa wb wc", "wd we wf", "wg wh", "wi wi wi", "wa"]
    student = potstill.load(folder, threads=2)
    alone = np.concatenate([student.logits([text]) for text in texts])
    np.testing.assert_allclose(student.logits(texts), alone, atol=1e-6)


def test_in_int8_a_text_alone_and_among_others_has_the_same_logits(
    folder: Path, in_8_bits: potstill.Classifier
) -> None:
    texts = ["wa wb wc", "wd we wf", "wg wh", "wi wi wi", "wa"]
    alone = np.concatenate([in_8_bits.logits([text]) for text in texts])
    # Of a graph that torch's exporter wrote the ranges are those of each batch.
    np.testing.assert_allclose(in_8_bits.logits(texts), alone, atol=1e-6 if has_own_graph(folder) else 0.02)


def test_one_word_a_thousand_words_and_unknown_ones(folder: Path) -> None:
    outputs = potstill.load(folder).logits(["wa", "wb " * 1000, "never seen before"])
    assert outputs.shape == (3, 3) and np.isfinite(outputs).all()


@pytest.mark.parametrize("empty", ["", "  \n"])
def test_an_empty_text_is_refused(folder: Path, empty: str) -> None:
    with pytest.raises(PotstillError, match="text 2 is empty"):
        potstill.load(folder).predict(["wa", empty])


@pytest.mark.parametrize("name", NAMES)
def test_a_text_without_words_is_one_unknown_word(name: str) -> None:
    model = build(name)
    unknown, words = torch.tensor([[1]]), torch.tensor([[5, 6, 7]])
    together = torch.cat([torch.zeros((1, 3), dtype=torch.long), words])
    expected = torch.cat([logits(model, unknown), logits(model, words)])
    torch.testing.assert_close(logits(model, together), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(logits(model, unknown[:, :0]), expected[:1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_may_be_padded_on_the_left(name: str) -> None:
    model = build(name)
    right, left = torch.tensor([[4, 5, 6, 0], [7, 8, 9, 10]]), torch.tensor([[0, 4, 5, 6], [7, 8, 9, 10]])
    torch.testing.assert_close(logits(model, left), logits(model, right), atol=1e-5, rtol=0)


def test_saved_and_loaded_it_gives_the_same_bits(folder: Path) -> None:
    first, second = (AutoModelForSequenceClassification.from_pretrained(folder).eval() for _ in range(2))
    fresh = build(next(name for name, student in STUDENTS.items() if isinstance(first, student)))
    ids = torch.randint(1, 23, (2, 7))
    assert torch.equal(logits(first, ids), logits(second, ids))
    assert [tuple(weight.shape) for weight in first.parameters()] == [tuple(w.shape) for w in fresh.parameters()]


def test_the_pipeline_and_the_runtime_give_the_same_logits_from_raw_text(folder: Path) -> None:
    texts = ["Wa wb, WC unknown!", "wd", "we " * 300]
    classify: Any = pipeline("text-classification", str(folder), top_k=None, function_to_apply="none")
    student = potstill.load(folder)
    assert student.classes_.tolist() == LABELS
    scores = [{entry["label"]: entry["score"] for entry in entries} for entries in classify(texts)]
    expected = [[score[label] for label in LABELS] for score in scores]
    np.testing.assert_allclose(student.logits(texts), expected, atol=1e-4)


def test_a_student_of_morphemes_reads_raw_text_through_its_analyzer(tmp_path: Path) -> None:
    words = ["영화", "는", "재미있", "었", "다", "."]
    vocabulary = Vocabulary(build_tokenizer(words, lower=True), np.eye(9, 12, dtype=np.float32))
    for analyzer in ("", "mecab"):
        student = new_student(PLAIN, {}, vocabulary, LABELS, embedding_trainable=True, seed=1, analyzer=analyzer)
        (tmp_path / f"_{analyzer}").mkdir()
        save_model(*student, tmp_path / f"_{analyzer}")
    expected = potstill.load(tmp_path / "_").logits(["영화 는 재미있 었 다 .", "재미있 다"])
    texts = ["영화는   재미있었다.", "재미있다"]
    np.testing.assert_allclose(potstill.load(tmp_path / "_mecab").logits(texts), expected, atol=1e-6)
    classify: Any = pipeline("text-classification", str(tmp_path / "_mecab"), top_k=None, function_to_apply="none")
    scores = [{entry["label"]: entry["score"] for entry in entries} for entries in classify(texts)]
    np.testing.assert_allclose([[score[label] for label in LABELS] for score in scores], expected, atol=1e-4)


def test_its_words_are_vectors_for_another_student(folder: Path) -> None:
    if "char" in folder.name:
        with pytest.raises(PotstillError, match="a student that reads characters: it has no word vectors"):
            load_vectors(str(folder))
        return
    vectors = load_vectors(str(folder))
    table = AutoModelForSequenceClassification.from_pretrained(folder).embedding.weight.detach().numpy()
    assert set(vectors.frequent_words(100)) == set(WORDS)
    np.testing.assert_array_equal(vectors.look_up(WORDS, np.random.default_rng(0)), table[3:])
    np.testing.assert_array_equal(vectors.look_up(["unseen"], np.random.default_rng(0)), table[[1]])


def test_only_a_student_that_overrides_pool_to_onnx_has_a_graph_of_its_own() -> None:
    assert all(student.has_own_graph() for student in OURS.values())
    assert not MeanForSequenceClassification.has_own_graph()


def test_every_model_type_says_that_it_is_a_student() -> None:
    assert all(student.config_class.model_type.startswith("potstill-") for student in STUDENTS.values())


def test_every_file_of_the_folder_is_registered() -> None:
    import potstill.students

    files = {path.stem for path in Path(potstill.students.__file__).parent.glob("*.py")} - {
        "__init__",
        "base",
        "core_plan",
        "layers",
        "onnx_graph",
    }
    assert files == {student.__module__.rpartition(".")[2] for student in OURS.values()}


def test_an_unknown_student_lists_those_there_are() -> None:
    with pytest.raises(PotstillError, match="there is no student 'cnm': choose one of bilstm, char-ngram, cnn"):
        find_student("cnm")


def test_an_unknown_parameter_is_named() -> None:
    vocabulary = Vocabulary(build_tokenizer(WORDS, lower=True), np.zeros((23, 16), dtype=np.float32))
    with pytest.raises(PotstillError, match="no parameter 'n_filters'"):
        new_student("cnn", {"n_filters": 3}, vocabulary, LABELS, embedding_trainable=True, seed=1)


@pytest.mark.parametrize(
    ("name", "parameters"), [("cnn", 588_802), ("densenet-cnn", 2_407_842), ("densenet-dsa", 3_585_282)]
)
def test_the_recipes_students_have_its_parameters(name: str, parameters: int) -> None:
    student = find_student(name)
    model = student(student.config_class(vocab_size=10, embedding_width=50))
    assert sum(weight.numel() for weight in model.parameters()) - 10 * 50 == parameters
