"""The whole job in Korean on small stand-ins: the teacher reads natural text, the student its morphemes."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

import potstill
from potstill.artifacts import read_json, read_manifest
from potstill.augment.sampling import Rules
from potstill.corpus.encoded import Encoded
from potstill.corpus.examples import read_examples
from potstill.corpus.splits import load_corpus
from potstill.corpus.transfer import read_transfer
from potstill.distillation import prepared
from potstill.distillation.checks import check_job
from potstill.distillation.distill import distill
from potstill.errors import PotstillError
from potstill.morphology import MorphemeSplitter
from potstill.runs.job import Job
from potstill.runs.options import DistillOptions

NOUNS, ADJECTIVES = ("영화", "배우", "노래", "이야기"), ("좋았다", "재미있었다", "지루했다", "나빴다")


@pytest.fixture(scope="module")
def korean_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("korean")
    generator = np.random.default_rng(0)
    for split, n in (("train", 40), ("valid", 12), ("test", 12)):
        rows = []
        for _ in range(n):
            adjective = int(generator.integers(4))
            rows.append(f"{generator.choice(NOUNS)}는 정말 {ADJECTIVES[adjective]}.\t{int(adjective < 2)}\n")
        (folder / f"{split}.txt").write_text("".join(rows))
    (folder / "vectors.txt").write_text("영화 0.1 0.2 0.3\n는 0.2 0.1 0.4\n좋 0.5 0.1 0.2\n")
    return folder


@pytest.fixture(scope="module")
def make_run(
    korean_data: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Path | None], Path]:
    def make(analyzer: str, out: Path | None = None) -> Path:
        out = out or tmp_path_factory.mktemp("runs") / "run"
        options = DistillOptions(
            data=str(korean_data),
            out=out,
            teacher=str(tiny_encoder),
            student=("cnn",),
            **({"analyzer": analyzer} if analyzer else {}),  # type: ignore[arg-type]
            rules=Rules(n_iter=2),
            embedding_path=str(korean_data / "vectors.txt"),
            n_frequent=5,
            teacher_epochs=1,
            student_epochs=1,
            gold_epochs=1,
            processes=1,
        )
        distill(options)
        return out

    return make


@pytest.fixture(scope="module")
def run(make_run: Callable[[str, Path | None], Path]) -> Path:
    return make_run("", None)


def test_the_analyzer_is_that_of_the_datas_language(run: Path) -> None:
    assert read_json(run / "run.json")["config"]["analyzer"] == "mecab"


def words_of(folder: Path) -> set[str]:
    return set(Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab())


def test_the_teacher_labels_natural_text(run: Path) -> None:
    texts = list(map(str, read_transfer(run / "transfer").texts))
    assert any(text.startswith("영화는 정말 ") for text in texts)
    assert not any(" 는 " in text for text in texts)
    assert "analyzer" not in read_json(run / "teacher" / "config.json")


def test_the_student_and_its_baseline_know_morphemes_and_record_their_analyzer(run: Path) -> None:
    for folder in ("student", "students/cnn", "students/cnn-gold"):
        assert read_json(run / folder / "config.json")["analyzer"] == "mecab"
        assert {"영화", "는", "재미있", "었", "다"} <= words_of(run / folder)
        assert "영화는" not in words_of(run / folder)


def test_the_student_and_the_evaluation_read_raw_text(run: Path, korean_data: Path) -> None:
    student = potstill.load(run / "student")
    raw, split = (student.logits([text]) for text in ("영화는 정말 좋았다.", "영화 는 정말 좋 았 다 ."))
    np.testing.assert_allclose(raw, split, atol=1e-5)
    examples = read_examples(korean_data / "test.txt")
    right = student.predict([example.text for example in examples]) == [example.label for example in examples]
    scores = {score["name"]: score for score in read_json(run / "evaluation" / "evaluation.json")["scores"]}
    assert scores["cnn"]["correct"] == int(right.sum())


def test_typing_errors_are_made_in_natural_text_before_it_is_split(
    run: Path, korean_data: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "영화는 정말 나빴다."
    monkeypatch.setattr(prepared, "misspell_some", lambda texts, chosen, generator: [typed] * len(texts))
    options = DistillOptions(
        data=str(korean_data), out=run, teacher=str(tiny_encoder), analyzer="mecab", n_frequent=5, processes=1,
        embedding_path=str(korean_data / "vectors.txt"),
    )  # fmt: skip
    job = Job(options, load_corpus(options.data, 42))
    prepared.word_text_stage(job).build(job, tmp_path)
    encoded = Encoded.load(tmp_path / "transfer")
    (morphemes,) = MorphemeSplitter("mecab")([typed])
    ids = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode(morphemes).ids
    assert len(ids) > 4 and encoded.token_ids.tolist() == ids * len(encoded)


def test_an_analyzer_of_words_leaves_the_students_tokenizer_alone(
    make_run: Callable[[str, Path | None], Path],
) -> None:
    run = make_run("whitespace", None)
    assert not read_json(run / "student" / "config.json").get("analyzer")
    assert "영화는" in words_of(run / "student")
    assert "analyzer" not in (read_manifest(run / "prepared") or {})["inputs"]


def test_another_analyzer_prepares_the_students_anew(run: Path, make_run: Callable[[str, Path | None], Path]) -> None:
    make_run("kiwi", run)
    assert read_json(run / "student" / "config.json")["analyzer"] == "kiwi"
    assert (read_manifest(run / "prepared") or {})["inputs"]["analyzer"] == "kiwi"


def test_an_analyzer_that_the_letters_chose_and_is_not_installed_is_told_as_their_choice(
    korean_data: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None if name == "mecab" else found(name))
    options = {"data": str(korean_data), "teacher": str(tiny_encoder), "out": tmp_path / "run"}
    with pytest.raises(PotstillError, match=r"^--analyzer=auto chose mecab by the letters of train: this needs mecab"):
        distill(DistillOptions(**options))  # type: ignore[arg-type]
    with pytest.raises(PotstillError, match=r"^this needs mecab, not installed here: pip install"):
        distill(DistillOptions(**options, analyzer="mecab"))  # type: ignore[arg-type]


def test_an_analyzer_of_korean_on_english_is_a_warning(
    tiny_data: Path, tiny_encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("mecab")
    options = DistillOptions(data=str(tiny_data), teacher=str(tiny_encoder), out=tmp_path, analyzer="mecab")
    job = Job(options, load_corpus(str(tiny_data), 1))
    check_job(job)
    assert "--analyzer=mecab splits Korean, and most letters of train are of another language" in caplog.text
    assert job.pretrained is None
