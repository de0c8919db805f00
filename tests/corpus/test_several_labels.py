"""Data whose texts have several labels: how it is written, split, and what is wrong with it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.corpus.columns import Columns
from potstill.corpus.examples import Example, read_examples
from potstill.corpus.labels import collect_labels, for_task
from potstill.corpus.splits import load_corpus, split_examples
from potstill.corpus.stratified import stratify
from potstill.errors import PotstillError
from potstill.tasks import MULTI_LABEL, TASKS, find_task

ROWS: list[tuple[str, list[str]]] = [("a film", ["joy"]), ("one more", []), ("and another", ["anger", "joy"])]
EXPECTED = [("joy",), (), ("anger", "joy")]


def write(folder: Path, name: str, rows: list[tuple[str, list[str]]]) -> Path:
    file = folder / name
    if name.endswith(".jsonl"):
        file.write_text("".join(json.dumps({"text": text, "labels": labels}) + "\n" for text, labels in rows))
    elif name.endswith(".parquet"):
        import pyarrow
        import pyarrow.parquet

        columns = {"text": [text for text, _ in rows], "labels": [labels for _, labels in rows]}
        pyarrow.parquet.write_table(pyarrow.table(columns), file)
    elif name.endswith(".csv"):
        lines = [f'{text},"{", ".join(labels)}"' for text, labels in rows]
        file.write_text("\n".join(["text,labels", *lines]))
    else:
        file.write_text("".join(f"{text}\t{','.join(labels)}\n" for text, labels in rows))
    return file


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.csv", "a.txt", "a.tsv"])
def test_lists_and_separators_are_read_alike(name: str, tmp_path: Path) -> None:
    separator = "" if name.endswith(("jsonl", "parquet")) else ","
    examples = read_examples(write(tmp_path, name, ROWS), Columns(label_separator=separator))
    assert [example.label for example in examples] == EXPECTED
    assert collect_labels(examples, name) == ["anger", "joy"]


@pytest.mark.parametrize(
    ("label", "complaint"),
    [("a,,b", "an empty label in 'a,,b': take the ',' out"), ("a, b,a", "the label 'a' is there twice: remove one")],
)
def test_a_bad_field_of_labels_is_named(label: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text(f"fine\ta\ndull\t{label}\n")
    with pytest.raises(PotstillError, match=rf"a\.txt:2: {complaint}"):
        read_examples(file, Columns(label_separator=","))


def test_a_list_and_a_single_label_in_one_file_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a", "label": ["x"]}\n{"text": "b", "label": "x"}\n')
    with pytest.raises(PotstillError, match=r"a\.jsonl:2: a list of labels in some rows and one label in others"):
        read_examples(file)
    with pytest.raises(PotstillError, match=r"a\.jsonl:1: a list of labels needs no --label_separator"):
        read_examples(file, Columns(label_separator=","))


def write_flags(folder: Path, flags: dict[str, list[tuple[int, int]]]) -> Path:
    folder.mkdir()
    for split, rows in flags.items():
        lines = [f"{split} text {row},{joy},{anger}" for row, (joy, anger) in enumerate(rows)]
        (folder / f"{split}.csv").write_text("\n".join(["text,joy,anger", *lines]))
    return folder


@pytest.mark.parametrize("extra", [[], [(1, 1)], [(0, 0)]])
def test_columns_of_flags_are_several_labels_where_one_row_of_any_split_has_them(
    extra: list[tuple[int, int]], tmp_path: Path
) -> None:
    flags = {"train": [(1, 0), (0, 1)], "valid": [(1, 0)], "test": [(0, 1), *extra]}
    corpus = load_corpus(str(write_flags(tmp_path / "data", flags)), 1, Columns(label_columns=("joy", "anger")))
    assert corpus.task.takes_several == bool(extra)
    assert corpus.splits["train"][0].label == (("joy",) if extra else "joy")


def test_labels_that_train_lacks_are_taken_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for split, rows in (("train", ROWS), ("valid", [("new", ["joy", "fear"])]), ("test", [("newer", ["fear"])])):
        write(tmp_path, f"{split}.jsonl", rows)
    corpus = load_corpus(str(tmp_path), 1)
    assert corpus.splits["valid"][0].label == ("joy",) and corpus.splits["test"][0].label == ()
    assert "labels that train lacks are taken out: fear (1)" in caplog.text


def test_texts_of_a_label_that_train_lacks_are_left_out_by_option(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for split, rows in (("train", "a\tx\nb\ty\n"), ("valid", "c\tz\nd\tx\n"), ("test", "e\ty\n")):
        (tmp_path / f"{split}.txt").write_text(rows)
    with pytest.raises(PotstillError, match=r"valid\.txt:1: the training set has no label 'z'.*--unknown_labels"):
        load_corpus(str(tmp_path), 1)
    corpus = load_corpus(str(tmp_path), 1, unknown_labels="drop")
    assert [example.text for example in corpus.splits["valid"]] == ["d"]
    assert "texts of labels that train lacks are left out: z (1)" in caplog.text
    (tmp_path / "valid.txt").write_text("c\tz\n")
    with pytest.raises(PotstillError, match=r"valid\.txt: train lacks the labels of all texts"):
        load_corpus(str(tmp_path), 1, unknown_labels="drop")


def test_splits_of_two_kinds_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "train.jsonl", ROWS)
    for split in ("valid", "test"):
        (tmp_path / f"{split}.jsonl").write_text('{"text": "new", "label": "joy"}\n')
    with pytest.raises(PotstillError, match=r"valid\.jsonl: one label a text, where another split has lists"):
        load_corpus(str(tmp_path), 1)


def several(n_texts: int, shares: Any, seed: int = 0) -> list[tuple[str, ...]]:
    chosen = np.random.default_rng(seed).random((n_texts, len(shares))) < shares
    return [tuple(f"l{label:02d}" for label in np.flatnonzero(row)) for row in chosen]


def test_each_split_has_its_share_of_every_label() -> None:
    labels = several(2000, [0.5, 0.2, 0.05, 0.01, 0.003])
    parts = stratify(labels, (0.8, 0.1, 0.1), 42)
    assert np.bincount(parts).tolist() == pytest.approx([1600, 200, 200], abs=12)
    totals = Counter(name for own in labels for name in own)
    for part, share in ((1, 0.1), (2, 0.1)):
        counts = Counter(name for own, its in zip(labels, parts, strict=True) if its == part for name in own)
        for name, total in totals.items():
            assert counts[name] == pytest.approx(share * total, abs=max(1.0, 0.02 * total))
            assert counts[name] >= 1
    assert np.array_equal(parts, stratify(labels, (0.8, 0.1, 0.1), 42))
    assert not np.array_equal(parts, stratify(labels, (0.8, 0.1, 0.1), 43))


def test_a_rare_label_is_in_all_splits_of_one_file() -> None:
    labels = [*several(60, [0.5, 0.5]), ("rare",), ("rare", "l00"), ("rare",)]
    examples = [Example(f"text {row}", label) for row, label in enumerate(labels)]
    splits = split_examples([*examples, examples[0]], 1)
    assert sorted(each.text for rows in splits.values() for each in rows) == sorted(each.text for each in examples)
    for rows in splits.values():
        assert sum("rare" in example.label for example in rows) == 1
    with pytest.raises(PotstillError, match="2 different texts"):
        split_examples(examples[:2], 1)


def test_examples_are_made_fit_for_a_task() -> None:
    one, two = Example("a", ("x",), line=1), Example("b", ("x", "y"), line=2)
    assert for_task([one], find_task(), "f")[0].label == "x"
    assert for_task([Example("a", "x")], TASKS[MULTI_LABEL], "f")[0].label == ("x",)
    with pytest.raises(PotstillError, match=r"f:2: 2 labels, where a text has one"):
        for_task([one, two], find_task(), "f")
