"""Runs on pairs of texts."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potstill
from potstill.augment.sampling import Rules
from potstill.cli import main
from potstill.corpus.encoded import Encoded
from potstill.corpus.examples import read_examples
from potstill.corpus.transfer import read_transfer, write_shard
from potstill.distillation.distill import distill, make_plan
from potstill.errors import PotstillError
from potstill.evaluation.results import read_evaluation
from potstill.teachers.language_model.options import LanguageModelOptions
from small_runs import small_run
from stand_in_server import stand_in

FILMS = ["drama", "comedy", "thriller", "musical"]


def write_data(folder: Path) -> Path:
    """Whether two texts name the same film."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for split, n in (("train", 60), ("valid", 20), ("test", 20)):
        lines = []
        for number in range(n):
            first, other = generator.choice(FILMS, 2, replace=False)
            second = first if number % 2 else other
            row = {"sentence1": f"the {first} of {split} {number}", "sentence2": f"a fine {second}"}
            lines.append(json.dumps(row | {"label": "same" if number % 2 else "other"}))
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_vectors: Path) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    data = write_data(folder / "data")
    held_out = read_examples(data / "test.jsonl")[0]
    lines = ["a new drama\ta  fine drama", "a fine drama\ta new drama", "a new drama\ta fine drama"]
    lines += [f"{held_out.text.upper()}\t{held_out.pair}", f"{held_out.text}\tanother"]
    (folder / "more.txt").write_text("\n".join(lines))
    changes = {"student": ("ngram", "char-ngram"), "unlabelled": (folder / "more.txt",)}
    options = small_run(data, tiny_encoder, tiny_vectors, folder / "run", **changes)
    distill(options)
    return folder / "run"


def test_every_model_of_the_run_reads_pairs(run: Path) -> None:
    evaluation = read_evaluation(run)
    assert [score.total for score in evaluation.scores] == [20] * 5 and evaluation.reference is not None
    pairs = [("the drama", "a fine drama"), ("the drama", "a fine comedy")]
    for folder in ("teacher", "students/ngram", "students/char-ngram-gold", "student"):
        assert potstill.load(run / folder).predict_proba(pairs).shape == (2, 2)
    assert " | a fine " in evaluation.students[0].disagreements[0].text


def test_new_pairs_have_one_text_of_their_source(run: Path) -> None:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(run / "augmented" / "texts.parquet").to_pydict()
    own: dict[int, tuple[str, str]] = {}
    columns = (table[name] for name in ("source", "text", "text_pair", "kind"))
    for source, first, second, kind in zip(*columns, strict=True):
        if kind == "own":
            own[source] = (first, second)
        elif kind != "unlabelled":
            assert (first == own[source][0]) != (second == own[source][1])
    assert len(own) == 60 and len(table["text"]) > 80
    transfer = read_transfer(run / "transfer")
    assert list(transfer.texts) == list(zip(table["text"], table["text_pair"], strict=True))


def test_students_learn_both_texts_and_the_gold_labels_of_trains_pairs(run: Path) -> None:
    learnt = Encoded.load(run / "prepared" / "transfer")
    assert learnt.pair is not None and len(learnt.pair) == len(learnt)
    assert learnt.gold is not None and (learnt.gold >= 0).sum() >= 60 and (learnt.gold < 0).any()


def test_predict_reads_two_fields_or_columns(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = potstill.load(run / "student").predict([("the drama", "a fine drama")]).tolist()
    (tmp_path / "in.txt").write_text("the drama\ta fine drama\n")
    (tmp_path / "in.jsonl").write_text('{"sentence1": "the drama", "sentence2": "a fine drama"}\n')
    for name in ("in.txt", "in.jsonl"):
        main(["predict", str(run / "student"), "--input", str(tmp_path / name)])
        assert capsys.readouterr().out.splitlines() == expected
    (tmp_path / "in.txt").write_text("the drama\n")
    with pytest.raises(SystemExit):
        main(["predict", str(run / "student"), "--input", str(tmp_path / "in.txt")])
    assert "in.txt:1: 1 fields: a line is text<TAB>text" in capsys.readouterr().err


def test_pairs_without_labels_are_learnt_but_those_of_valid_and_test(run: Path) -> None:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(run / "augmented" / "texts.parquet").to_pydict()
    columns = (table[name] for name in ("kind", "text", "text_pair"))
    found = [(first, second) for kind, first, second in zip(*columns, strict=True) if kind == "unlabelled"]
    held_out = read_examples(run.parent / "data" / "test.jsonl")[0]
    assert found == [("a new drama", "a fine drama"), ("a fine drama", "a new drama"), (held_out.text, "another")]


def test_single_texts_beside_pairs_are_refused_before_any_training(
    run: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    (tmp_path / "more.txt").write_text("a line\n")
    write_shard(tmp_path / "part.parquet", ["a line"], np.zeros((1, 2), dtype=np.float32))
    for changes, complaint in (
        ({"unlabelled": (tmp_path / "more.txt",)}, r"more\.txt:1: 1 fields; a pair without label is text<TAB>text"),
        ({"transfer": (tmp_path / "part.parquet",)}, r"part\.parquet: has single texts, but the data has pairs"),
    ):
        options = small_run(run.parent / "data", tiny_encoder, tiny_vectors, tmp_path / "run", **changes)
        with pytest.raises(PotstillError, match=complaint):
            distill(options)
    assert not (tmp_path / "run").exists()


def test_a_labelled_set_of_pairs_is_learnt(run: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path) -> None:
    sets = (run / "transfer", run / "transfer")
    options = small_run(
        run.parent / "data", tiny_encoder, tiny_vectors, tmp_path / "run", transfer=sets, student=("ngram",)
    )
    distill(options)
    given, copied = read_transfer(run / "transfer"), read_transfer(tmp_path / "run" / "transfer")
    assert copied.texts == given.texts
    np.testing.assert_allclose(copied.logits, given.logits, atol=1e-6)
    learnt = Encoded.load(tmp_path / "run" / "prepared" / "transfer")
    assert learnt.pair is not None and learnt.gold is not None and (learnt.gold >= 0).sum() >= 60


def same_film(pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
    """A teacher that reads both texts: whether they name the same film."""
    return [
        [0.1, 0.9] if set(first.split()) & set(FILMS) & set(second.split()) else [0.8, 0.2] for first, second in pairs
    ]


def small(vectors: Path) -> dict[str, Any]:
    options = {"analyzer": "whitespace", "embedding_path": str(vectors), "n_frequent": 50, "student_steps": 10}
    return options | {"student": ["ngram"], "n_iter": 1, "processes": 1, "progress": False, "reference_row": False}


def test_a_function_of_pairs_is_a_teacher(run: Path, tiny_vectors: Path, tmp_path: Path) -> None:
    data = str(run.parent / "data")
    finished = potstill.distill(data, teacher=same_film, out=tmp_path / "run", **small(tiny_vectors))
    assert finished.table["accuracy"][0] == 1.0 and finished.is_gold
    answers = read_transfer(finished.folder / "transfer")
    assert answers.logits.argmax(axis=1).tolist() == np.argmax(same_film(answers.texts), axis=1).tolist()  # type: ignore[arg-type]
    assert finished.student.predict([("the drama", "a fine drama")]).shape == (1,)


def test_scikit_learns_classifier_learns_and_predicts_pairs(run: Path, tiny_vectors: Path) -> None:
    examples = read_examples(run.parent / "data" / "train.jsonl")
    pairs, labels = [each.content for each in examples], [str(each.label) for each in examples]
    options = {name: value for name, value in small(tiny_vectors).items() if name not in ("student", "progress")}
    model = potstill.DistilledClassifier(teacher=same_film, student="ngram", threads=1, options=options)
    predicted = model.fit(pairs, labels).predict([list(pair) for pair in pairs])
    assert predicted.tolist() == model.student_.predict(pairs).tolist()
    assert model.predict_proba(pairs).shape == (60, 2) and model.classes_.tolist() == ["other", "same"]
    with pytest.raises(ValueError, match="text 1 is a single text: this student takes pairs"):
        model.predict(["the drama"])


def test_a_function_labels_pairs_that_nobody_did(run: Path, tiny_vectors: Path, tmp_path: Path) -> None:
    pairs = [
        each.content for split in ("train", "valid") for each in read_examples(run.parent / "data" / f"{split}.jsonl")
    ]
    names = ["other", "same"]
    finished = potstill.distill(
        pairs, teacher=same_film, label_names=names, out=tmp_path / "run", **small(tiny_vectors)
    )
    assert not finished.is_gold and finished.table["accuracy"][0] == 1.0
    assert read_transfer(finished.folder / "labelled").texts == pairs
    gold = tmp_path / "gold.csv"
    gold.write_text("text,label\na film,same\n")
    with pytest.raises(PotstillError, match=r"gold\.csv:2: no second text, and the texts are pairs"):
        potstill.distill(
            pairs, teacher=same_film, label_names=names, out=tmp_path / "run", gold=gold, **small(tiny_vectors)
        )


def test_a_language_model_is_asked_about_pairs(
    run: Path, tiny_vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / "cache"))
    with stand_in() as server:
        asked = LanguageModelOptions(teacher_url=server.url, teacher_orders=1, teacher_shots=2)
        changes = {"language_model": asked, "gold_epochs": 0, "student_steps": 10, "reference_row": False}
        options = small_run(run.parent / "data", Path("openai:small"), tiny_vectors, tmp_path / "run", **changes)
        options = replace(options, student=("ngram",), rules=Rules())
        planned = make_plan(options)
        assert "100 different texts: 100 requests to be sent" in str(planned) and server.n_requests == 0
        finished = distill(options)
        assert server.n_requests == 100 and server.counts["answered_twice"] == 0
    answers = read_transfer(finished.folder / "transfer")
    train = [each.content for each in read_examples(run.parent / "data" / "train.jsonl")]
    assert answers.texts == train
    (tmp_path / "labels.toml").write_text('[[label]]\nname = "same"\nexamples = ["one"]\n[[label]]\nname = "other"\n')
    with pytest.raises(PotstillError, match="an example is a single text, and what is labelled a pair of texts"):
        distill(replace(options, labels=str(tmp_path / "labels.toml")))


@pytest.mark.parametrize("teacher", ["nli:some", "skops:some.skops"])
def test_black_boxes_of_single_texts_refuse_pairs(teacher: str, run: Path, tiny_vectors: Path, tmp_path: Path) -> None:
    options = small_run(run.parent / "data", Path(teacher), tiny_vectors, tmp_path / "run")
    with pytest.raises(PotstillError, match=f"--teacher={teacher}: reads single texts, and these are pairs"):
        distill(options)


def test_a_missing_second_text_is_named(tmp_path: Path, tiny_encoder: Path, tiny_vectors: Path) -> None:
    data = write_data(tmp_path / "data")
    lines = (data / "train.jsonl").read_text().splitlines()
    lines[4] = '{"sentence1": "alone", "sentence2": null, "label": "same"}'
    (data / "train.jsonl").write_text("\n".join(lines))
    with pytest.raises(
        PotstillError, match=r"train\.jsonl:5: a single text where the others are pairs: give it its second text"
    ):
        distill(small_run(data, tiny_encoder, tiny_vectors, tmp_path / "run"))
