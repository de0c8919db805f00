"""Runs on pairs of texts."""

import json
from pathlib import Path

import numpy as np
import pytest

import potstill
from potstill.cli import main
from potstill.corpus.encoded import Encoded
from potstill.corpus.transfer import read_transfer
from potstill.distillation.distill import distill
from potstill.errors import PotstillError
from potstill.evaluation.results import read_evaluation
from small_runs import small_run


def write_data(folder: Path) -> Path:
    """Whether two texts name the same film."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    films = ["drama", "comedy", "thriller", "musical"]
    for split, n in (("train", 60), ("valid", 20), ("test", 20)):
        lines = []
        for number in range(n):
            first, other = generator.choice(films, 2, replace=False)
            second = first if number % 2 else other
            row = {"sentence1": f"the {first} of {split} {number}", "sentence2": f"a fine {second}"}
            lines.append(json.dumps(row | {"label": "same" if number % 2 else "other"}))
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_vectors: Path) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    options = small_run(
        write_data(folder / "data"), tiny_encoder, tiny_vectors, folder / "run", student=("ngram", "char-ngram")
    )
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
        else:
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


def test_single_texts_beside_pairs_are_refused(
    run: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path
) -> None:
    more = tmp_path / "more.txt"
    more.write_text("a line\n")
    data = run.parent / "data"
    options = small_run(data, tiny_encoder, tiny_vectors, tmp_path / "run", unlabelled=(more,))
    with pytest.raises(PotstillError, match=r"--unlabelled: single texts, and the data is pairs of texts"):
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
