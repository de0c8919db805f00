"""potstill pretrain on stand-ins, and a distillation that starts from what it made."""

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import torch
from safetensors.numpy import load_file

import potstill
from potstill.artifacts import read_json, write_json
from potstill.cli import main
from potstill.corpus.columns import TextColumn
from potstill.corpus.encoded import Encoded
from potstill.corpus.transfer import transfer_parts
from potstill.corpus.words import build_tokenizer
from potstill.distillation.distill import distill
from potstill.errors import PotstillError
from potstill.pretraining import stages
from potstill.pretraining.options import PretrainJob, PretrainOptions
from potstill.pretraining.pretrain import pretrain
from potstill.training import pretrained
from potstill.training.pretrained import find_pretrained, grow_vocabulary, open_pretrained
from small_runs import small_run
from standins import sentences, write_student


def options(source: Path, model: Path, out: Path, **changes: Any) -> PretrainOptions:
    settings: dict[str, Any] = {
        "encoder": str(model), "text": (source,), "out": out, "width": 8, "n_words": 20, "n_pieces": 60, "epochs": 2,
        "batch_size": 64,
    }  # fmt: skip
    return PretrainOptions(**settings | changes)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,200 different texts of the small grammar, numbered."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    rows = (f"{text} {number}" for number, (text, _) in enumerate(sentences(1200, 5)))
    path.write_text("\n".join(rows))
    return path


@pytest.fixture(scope="module")
def made(text: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished pre-training. Read it only."""
    out = tmp_path_factory.mktemp("pretrained") / "base"
    pretrain(options(text, tiny_encoder, out))
    return out


def test_the_student_learns_the_encoders_vectors(made: Path) -> None:
    training = read_json(made / "student" / "training.json")
    assert training["evaluations"][-1]["accuracy"] > 0.3  # of an untrained student about 0
    assert training["best"] == max(entry["accuracy"] for entry in training["evaluations"])
    weights = load_file(made / "student" / "model.safetensors")
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float16)}
    assert weights["output.weight"].shape[0] == 32  # the encoder's width


def test_it_gives_the_encoders_own_vectors_though_it_learns_them_centred(made: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    vectors = np.concatenate([part.logits for part in transfer_parts(made / "vectors")])
    learnt = Encoded.load(made / "prepared" / "train")
    assert learnt.teacher_logits is not None
    assert np.abs(learnt.teacher_logits.mean(axis=0)).max() < 0.1 and 0.9 < learnt.teacher_logits.std() < 1.1
    model = AutoModelForSequenceClassification.from_pretrained(made / "student", dtype=torch.float32)
    with torch.inference_mode():
        batch = {name: torch.from_numpy(array) for name, array in learnt.pad(np.arange(400), 0).items()}
        given = model.eval()(batch["input_ids"], batch["attention_mask"]).logits.numpy()
    np.testing.assert_allclose(given.mean(axis=0), vectors.mean(axis=0), atol=0.02)
    assert np.abs(vectors.mean(axis=0)).max() > 0.1  # the mean is most of these vectors


def test_it_knows_frequent_words_and_pieces(made: Path) -> None:
    base = open_pretrained(str(made))
    assert {"film", "the", "##m"} <= set(base.words)
    assert base.tokenizer.encode("film").tokens == ["film"]


def test_run_again_it_does_nothing_and_with_another_student_only_that(
    made: Path, text: Path, tiny_encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(made, tmp_path / "base")
    with caplog.at_level("INFO", logger="potstill"):
        pretrain(options(text, tiny_encoder, tmp_path / "base"))
        assert caplog.text.count("done already") == 4
        caplog.clear()
        pretrain(options(text, tiny_encoder, tmp_path / "base", student="cnn", epochs=1))
    assert caplog.text.count("done already") == 3 and "student: again" in caplog.text


def test_distill_starts_from_it_and_its_vocabulary_grows(
    made: Path, tiny_data: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    changes = {"embedding_path": "auto", "student": ("bilstm", "cnn"), "student_init": str(made)}
    run = distill(small_run(tiny_data, tiny_encoder, Path("none"), tmp_path / "run", **changes))
    student = potstill.load(run.folder / "students" / "bilstm")
    assert set(student.predict(["the film is clever", "teh flim"])) <= {"0", "1"}
    words = set(read_json(run.folder / "prepared" / "tokenizer.json")["model"]["vocab"])
    base = set(open_pretrained(str(made)).words)
    assert base < words and words - base - {"<pad>", "<unk>", "[MASK]"}  # some of the data's words are not in the base
    record = read_json(run.folder / "run.json")
    assert record["config"]["student_init"] == str(made)


def test_the_layers_of_the_students_kind_are_taken_over(made: Path, tiny_data: Path, tiny_encoder: Path) -> None:
    from potstill.students import STUDENTS
    from potstill.training.fitting import new_student
    from potstill.training.pretrained import start_from
    from potstill.training.vocabulary import Vocabulary

    base = open_pretrained(str(made))
    weights = base.weights()
    vocabulary = Vocabulary(base.tokenizer, weights["embedding.weight"])
    models = {}
    for name in ("bilstm", "cnn"):
        parameters = base.parameters(STUDENTS[name].config_class)
        models[name], _ = new_student(name, parameters, vocabulary, ["a", "b"], embedding_trainable=True, seed=1)
        start_from(models[name], base)  # of a cnn nothing is taken over
    taken = models["bilstm"].state_dict()
    assert np.array_equal(taken["forwards.weight_hh_l0"].numpy(), weights["forwards.weight_hh_l0"])
    assert taken["output.weight"].shape[0] == 2
    assert base.parameters(STUDENTS["bilstm"].config_class) == {"fc_hidden_size": 256, "hidden_size": 256}


class Source:
    """Vectors of words: a stand-in whose vectors are a linear map of the pretrained ones."""

    width = 8

    def __init__(self, table: dict[str, Any], map_: Any) -> None:
        self._table, self._map = table, map_

    def frequent_words(self, n: int) -> list[str]:
        return []

    def look_up(self, words: Any, generator: np.random.Generator) -> Any:
        return np.stack([self._table.get(word, self._table["film"]) @ self._map for word in words])


def test_a_new_words_vector_is_the_sources_mapped_to_the_pretrained_ones(made: Path) -> None:
    base = open_pretrained(str(made))
    table = dict(zip(base.words, base.weights()["embedding.weight"][3:], strict=True))
    source = Source(table, np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32))
    vocabulary = grow_vocabulary(base, ["zebra zebra zebra rare"], source)
    ids = vocabulary.tokenizer.get_vocab()
    assert ids["zebra"] == len(base.words) + 3 and "rare" not in ids
    assert vocabulary.table is not None
    similar = np.corrcoef(vocabulary.table[ids["zebra"]], vocabulary.table[ids["film"]])[0, 1]
    assert similar > 0.9  # the source has the same vector for both


@pytest.fixture
def installed(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pretrained student as a package."""
    monkeypatch.setattr(
        pretrained, "_find_package", lambda name: made / "student" if name == "potstill-base-en" else None
    )


@pytest.mark.usefixtures("installed")
def test_the_installed_one_is_found_for_a_language_that_it_knows() -> None:
    texts = [text for text, _ in sentences(50, 0)]
    assert find_pretrained(texts, "") is not None
    assert find_pretrained(texts, "mecab") is None
    assert find_pretrained(["영화는 정말 좋았다"] * 50, "") is None


@pytest.mark.usefixtures("installed")
def test_options_that_are_given_win_over_the_installed_one(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    from potstill.corpus.splits import load_corpus
    from potstill.runs.job import Job

    corpus = load_corpus(str(tiny_data), 42)

    def job(**changes: Any) -> Job:
        return Job(small_run(tiny_data, tiny_encoder, tiny_vectors, tmp_path, **changes), corpus)

    assert job(embedding_path="auto").pretrained is not None
    assert job().pretrained is None  # other vectors
    assert job(embedding_path="auto", cased=True).pretrained is None
    assert job(embedding_path="auto", student_init="none").pretrained is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"student": "char-ngram"}, "--student=char-ngram: reads characters"),
        ({"student": "nono"}, "no student 'nono'"),
        ({"width": 64}, "the teacher's vectors have 32 numbers at most"),
        ({"encoder": "none"}, "none: neither a folder here"),
        ({"analyzer": "spacy"}, "--analyzer=spacy: splits no morphemes"),
        ({"n_words": 0}, "--n_words=0: must be at least 1"),
        ({"typing_errors": 2.0}, "--typing_errors=2.0: a share"),
        ({"text": (Path("none.txt"),)}, "none.txt: no such file"),
        ({"epochs": 0}, "--epoch=0: must be more than 0"),
    ],
)
def test_bad_options_are_one_line(
    text: Path, tiny_encoder: Path, tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(PotstillError, match=complaint):
        pretrain(options(text, tiny_encoder, tmp_path / "out", **changes))


def test_ten_sentences_are_too_few(tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "ten.txt"
    text.write_text("".join(f"sentence {number}\n" for number in range(10)))
    with pytest.raises(SystemExit) as stopped:
        main(f"pretrain --encoder {tiny_encoder} --text {text} --out {tmp_path / 'out'} --quiet".split())
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        "potstill: --text: 10 different texts are too few to learn from: give 1,000 or more\n"
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"splitter": "other"}, "made by another version, which splits words otherwise"),
        ({"model_type": "bert"}, "not a pretrained student"),
    ],
)
def test_a_folder_that_does_not_fit_is_one_line(
    made: Path, tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    folder = tmp_path / "student"
    shutil.copytree(made / "student", folder)
    write_json(folder / "config.json", read_json(folder / "config.json") | change)
    with pytest.raises(PotstillError, match=complaint):
        open_pretrained(str(folder))


def test_no_folder_and_damaged_weights_are_one_line(made: Path, tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"none: no such pretrained student; give .* potstill-base-en"):
        open_pretrained("none")
    folder = tmp_path / "student"
    shutil.copytree(made / "student", folder)
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(PotstillError, match="cannot be loaded, it is damaged"):
        open_pretrained(str(folder)).weights()


def test_a_pretrained_student_without_a_layer_is_one_line(made: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    from potstill.training.fitting import new_student
    from potstill.training.pretrained import start_from
    from potstill.training.vocabulary import Vocabulary

    folder = tmp_path / "student"
    shutil.copytree(made / "student", folder)
    weights = load_file(folder / "model.safetensors")
    save_file({name: array for name, array in weights.items() if name != "hidden.bias"}, folder / "model.safetensors")
    base = open_pretrained(str(folder))
    vocabulary = Vocabulary(base.tokenizer, base.weights()["embedding.weight"])
    model, _ = new_student("bilstm", {}, vocabulary, ["a", "b"], embedding_trainable=True, seed=1)
    with pytest.raises(PotstillError, match=r"model\.safetensors: cannot be loaded, .*other layers than"):
        start_from(model, base)


def test_another_language_or_analyzer_than_the_data_is_one_line(made: Path) -> None:
    base = open_pretrained(str(made))
    with pytest.raises(PotstillError, match="knows 0% of the words of the data: is it of another language"):
        base.check_fits(["영화는 정말 좋았다"], "")
    with pytest.raises(PotstillError, match="reads words, these students read the morphemes of mecab"):
        base.check_fits(["the film"], "mecab")


def test_vectors_of_one_kind_alone(tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match="--student_init has word vectors, of lower-case words: leave"):
        small_run(tiny_data, tiny_encoder, tiny_vectors, tmp_path, student_init="somewhere")


def test_the_texts_that_pick_the_checkpoint_are_not_learnt(made: Path) -> None:
    sizes = [len(Encoded.load(made / "prepared" / name)) for name in ("train", "valid")]
    assert sizes == [1200 - 3, 3] and stages._HELD_OUT == 400


def test_a_vocabulary_without_pieces_has_none() -> None:
    assert not [word for word in build_tokenizer(["a"], lower=True).get_vocab() if word.startswith("##")]


def test_the_encoder_gives_unit_vectors_and_the_same_for_a_text_alone(tiny_encoder: Path) -> None:
    from potstill.teachers.encoder import SentenceEncoder

    encoder = SentenceEncoder(str(tiny_encoder))
    texts = ["the film is fine", "a plot"]
    vectors = encoder(texts)
    assert vectors.shape == (2, 32) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert np.allclose(encoder(texts[1:])[0], vectors[1], atol=2e-2)
    assert encoder.labels == [str(index) for index in range(32)]
    sent = pickle.loads(pickle.dumps(encoder))  # to a worker on a cluster, after its first call
    assert sent.identity == encoder.identity and np.array_equal(sent(texts), vectors)


def test_a_student_is_no_encoder(made: Path, text: Path, tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match="a student; give a transformer's checkpoint"):
        pretrain(options(text, made / "student", tmp_path / "out"))


def test_the_package_for_english_is_found_for_english_alone() -> None:
    english = ["the film was a great surprise, and we enjoyed it", "how do i change the pin of my card?"]
    base = find_pretrained(english, "")
    assert base is not None and base.folder.name == "potstill_base_en"
    assert base.weights()["embedding.weight"].shape == (base.config["vocab_size"], 128)
    assert sum(file.stat().st_size for file in base.folder.iterdir() if file.is_file()) < 12e6
    assert find_pretrained(["der Film war eine große Überraschung, und wir haben ihn genossen"], "") is None
    assert find_pretrained(["영화는 정말 좋았다"], "") is None


def test_the_package_for_korean_reads_morphemes() -> None:
    korean = ["이 영화는 정말 좋았다.", "배우들의 연기가 너무 어색해서 끝까지 보기 힘들었어요"]
    base = find_pretrained(korean, "mecab")
    assert base is not None and base.folder.name == "potstill_base_ko" and base.analyzer == "mecab"
    assert {"영화", "는", "##화"} <= set(base.words) and "영화는" not in base.words
    assert sum(file.stat().st_size for file in base.folder.iterdir() if file.is_file()) < 12e6
    assert find_pretrained(korean, "kiwi") is None


def test_english_with_an_analyzer_of_korean_starts_from_no_pretrained_student(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("potstill.training.pretrained.Pretrained.known_share", lambda *_: 1.0)
    assert find_pretrained(["how do i change the pin of my card?"], "mecab") is None
    assert find_pretrained(["이 영화는 정말 좋았다."], "mecab") is not None


def test_a_student_of_a_run_is_no_pretrained_one_but_has_word_vectors(tmp_path: Path) -> None:
    folder = write_student(tmp_path)
    with pytest.raises(PotstillError, match=f"a student of a run.*--embedding_path={folder} the word vectors"):
        open_pretrained(str(folder))


def test_an_encoder_that_gives_no_vectors_is_one_line(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from potstill.teachers.encoder import SentenceEncoder

    monkeypatch.setattr(SentenceEncoder, "__call__", lambda self, texts, progress=None: np.zeros((2, 32)))
    with pytest.raises(PotstillError, match="it gives no sentence vectors: give another encoder"):
        SentenceEncoder(str(tiny_encoder)).check(["a", "b"])


def test_texts_may_be_in_a_column_of_any_name(text: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text("review,stars\na text of its own,5\n")
    named = options(text, tiny_encoder, tmp_path / "out", text=(text, table), columns=TextColumn("review"))
    first, *_ = stages.pretraining_stages(PretrainJob(named))
    first.build(PretrainJob(named), tmp_path)
    written = pyarrow.parquet.read_table(tmp_path / "texts.parquet")["text"].to_pylist()
    assert len(written) == 1201 and written[-1] == "a text of its own"
    unnamed, *_ = stages.pretraining_stages(PretrainJob(options(text, tiny_encoder, tmp_path / "out")))
    assert first.inputs["columns"] == {"text_column": ["review"]} and "columns" not in unnamed.inputs
    with pytest.raises(PotstillError, match=r"text\.txt: has no columns, but --text_column names one"):
        options(text, tiny_encoder, tmp_path / "out", columns=TextColumn("review"))
