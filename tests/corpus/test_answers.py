"""Transfer sets whose answers are columns of probabilities or of labels."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.corpus import answers as module
from potstill.corpus import transfer
from potstill.corpus.answers import SMOOTHING, Answers
from potstill.corpus.columns import DistillColumns
from potstill.corpus.transfer import TransferSet, average_parts, check_transfer, transfer_parts, write_shard, write_tsv
from potstill.errors import PotstillError

LABELS = ["anger", "joy", "sad mood"]
TEXTS = ["a fine film", "a dull one"]
PROBABILITIES = np.array([[0.1, 0.7, 0.2], [0.6, 0.4, 0.0]])
LOGITS = np.log(np.array([[0.1, 0.7, 0.2], [0.6, 0.4, 1e-6]]))
BY_LABEL = DistillColumns(label_columns=("joy", "anger", "sad mood"))  # in another order than the labels
BY_LIST = DistillColumns(probability_column="scores")


def read(path: Path, columns: DistillColumns = BY_LABEL, labels: list[str] = LABELS) -> TransferSet:
    (part,) = transfer_parts(path, Answers(columns, labels))
    return part


def write_parquet(path: Path, **columns: Any) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def write_wide(folder: Path, name: str) -> Path:
    """A column of probabilities a label."""
    columns = {"text": TEXTS} | {label: PROBABILITIES[:, i].tolist() for i, label in enumerate(LABELS)}
    if name.endswith(".parquet"):
        return write_parquet(folder / name, **columns)
    rows = list(zip(*columns.values(), strict=True))
    if ".csv" in name:
        content = "".join(",".join(map(str, row)) + "\n" for row in [tuple(columns), *rows])
    else:
        content = "".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows)
    (folder / name).write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return folder / name


def write_lists(folder: Path, name: str) -> Path:
    """One column of lists."""
    if name.endswith(".parquet"):
        return write_parquet(folder / name, text=TEXTS, scores=PROBABILITIES.tolist())
    rows = zip(TEXTS, PROBABILITIES.tolist(), strict=True)
    (folder / name).write_text("".join(json.dumps({"text": text, "scores": row}) + "\n" for text, row in rows))
    return folder / name


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.gz", "a.parquet"])
def test_a_column_of_probabilities_a_label_is_read_in_the_order_of_the_labels(name: str, tmp_path: Path) -> None:
    answered = read(write_wide(tmp_path, name))
    assert answered.texts == TEXTS and answered.logits.dtype == np.float32
    np.testing.assert_allclose(answered.logits, LOGITS, rtol=1e-5)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_one_column_of_lists_is_in_the_order_of_the_labels(name: str, tmp_path: Path) -> None:
    np.testing.assert_allclose(read(write_lists(tmp_path, name), BY_LIST).logits, LOGITS, rtol=1e-5)


def test_a_label_a_text_is_smoothed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,mood\nfine, joy \ndull,sad mood\n")
    probabilities = np.exp(read(tmp_path / "a.csv", DistillColumns(label_column="mood")).logits)
    rest = SMOOTHING / 3
    np.testing.assert_allclose(probabilities, [[rest, 0.9 + rest, rest], [rest, rest, 0.9 + rest]], rtol=1e-5)


def test_whole_numbers_are_labels_too(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "a.parquet", text=TEXTS, stars=[5.0, 1.0])
    logits = read(file, DistillColumns(label_column="stars"), ["1", "5"]).logits
    assert logits.argmax(axis=1).tolist() == [1, 0]


def test_a_name_is_that_of_a_label_however_its_accents_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,cafe\u0301,tea\nfine,0.75,0.25\n")
    columns = DistillColumns(label_columns=("cafe\u0301", "tea"))
    np.testing.assert_allclose(np.exp(read(tmp_path / "a.csv", columns, ["caf\u00e9", "tea"]).logits), [[0.75, 0.25]])


def test_probabilities_that_were_rounded_are_brought_to_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,anger,joy,sad mood\nfine,0.333,0.333,0.333\ndull,1.0000001,0,-1e-8\n")
    logits = read(tmp_path / "a.csv").logits
    np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(logits[0], np.log([1 / 3] * 3), rtol=1e-6)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("0.5,0.2,0.2", "the probabilities add up to 0.9, not to 1: scale them, or remove the row"),
        ("1.5,-0.5,0", r"\[1.5, -0.5, 0.0\]: a probability is a number from 0 to 1: correct it"),
        ("nan,0.5,0.5", "a probability is a number from 0 to 1"),
        ("inf,0,0", "a probability is a number from 0 to 1"),
        ("much,0.5,0.5", r"\['much', '0.5', '0.5'\] are not numbers: give each label a probability"),
        (",0.5,0.5", "are not numbers"),
        ("0.5,0.5", "a probability is a number from 0 to 1"),
    ],
)
def test_a_row_that_is_no_distribution_is_named_with_its_line(row: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"text,anger,joy,sad mood\nfine,0,1,0\n\nbad,{row}\ndull,9,9,9\n")
    with pytest.raises(PotstillError, match=rf"a\.csv:4: {complaint}|a\.csv:4: .*{complaint}") as raised:
        read(tmp_path / "a.csv")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("[0.5, 0.5]", "a list of 2, not a list of 3 probabilities, one for each of anger, joy, sad mood"),
        ("0.5", "'0.5', not a list of 3 probabilities"),
        ("null", "'None', not a list of 3"),
        ('{"joy": 1}', "not a list of 3 probabilities"),
        ("[[1], [0], [0]]", "are not numbers"),
        ('[1, 0, "none"]', "are not numbers"),
        ("[1, 0, null]", "a probability is a number from 0 to 1"),
        ("[1, 1, 0]", "add up to 2, not to 1"),
    ],
)
def test_a_value_that_is_no_list_of_probabilities_is_named_with_its_line(
    value: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a", "scores": [1, 0, 0]}}\n{{"text": "b", "scores": {value}}}\n')
    with pytest.raises(PotstillError, match=rf"a\.jsonl:2: .*{complaint}"):
        read(tmp_path / "a.jsonl", BY_LIST)


@pytest.mark.parametrize(
    ("content", "columns", "complaint"),
    [
        ("text,mood\nfine,joy\ndull,glee\n", {"label_column": "mood"}, "a.csv:3: the data has no label 'glee'"),
        ("text,mood\nfine,joy\ndull,\n", {"label_column": "mood"}, "a.csv:3: no label; add one"),
        ("text,mood\nfine,joy\n ,joy\n", {"label_column": "mood"}, "a.csv:3: empty text"),
        ("text,text_pair,mood\nfine,dull,joy\nfine\n", {"label_column": "mood"}, "a.csv:3: no second text"),
        ("text,mood\n", {"label_column": "mood"}, "a.csv: no texts in it"),
        ("words,mood\na,joy\n", {"label_column": "mood"}, "a.csv:1: no column 'text'; it has .*: give --text_column w"),
        ("text,mood\na,joy\n", {"label_column": "label"}, "a.csv:1: no column 'label', which --label_column names"),
        ("text,joy\na,1\n", {"probability_column": "joy"}, "a.csv: .csv has no lists"),
        (
            "text,joy,anger\na,1,0\n",
            {"label_columns": ("joy", "anger")},
            "a.csv: no column for the data's .*'sad mood'",
        ),
        (
            "text,joy\na,1\n",
            {"label_columns": ("joy", "glee")},
            "a.csv: --label_columns names 'glee', which is no label",
        ),
        (
            "text,joy\na,1\n",
            {"label_columns": ("joy", "anger", "sad mood")},
            "a.csv:1: no column 'anger', which --label",
        ),
        ("text,label\na,joy\n", {}, "a.csv: no logits, and .*; it has text, label: give --label_column label$"),
        (
            "review,x\na,joy\n",
            {"text_column": "review"},
            "it has review, x: give .*, --probability_column or --label_column$",
        ),
        ("text,joy,anger,sad mood\na,1,0,0\n", {}, "give --label_columns anger joy 'sad mood'$"),
    ],
)
def test_what_has_no_answers_is_one_line(content: str, columns: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(PotstillError, match=complaint):
        read(tmp_path / "a.csv", DistillColumns(**columns))


def test_parquet_without_logits_is_asked_for_its_columns(tmp_path: Path) -> None:
    file = write_wide(tmp_path, "a.parquet")
    with pytest.raises(PotstillError, match=r"it has text, anger, .*: give --label_columns anger joy 'sad mood'"):
        read(file, DistillColumns())
    with pytest.raises(PotstillError, match="no column 'scores', which --probability_column names; it has text, anger"):
        read(file, BY_LIST)


def test_a_set_with_logits_is_read_as_before_whatever_columns_are_named(tmp_path: Path) -> None:
    logits = np.array([[1, -2, 0.5], [0, 3, 4]], dtype=np.float32)
    write_shard(tmp_path / "shards" / "part-00000.parquet", TEXTS, logits)
    write_tsv(tmp_path / "a.txt", [(TEXTS, [" ".join(map(str, row)) for row in logits])])
    named = DistillColumns("review", label_columns=("joy", "anger", "sad mood"))
    for path in (tmp_path / "shards", tmp_path / "shards" / "part-00000.parquet", tmp_path / "a.txt"):
        assert read(path, named).texts == TEXTS
        np.testing.assert_array_equal(read(path, named).logits, logits)


def test_the_text_beside_logits_may_have_another_name(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "a.parquet", review=TEXTS, logits=[[1.0, 2.0, 3.0]] * 2)
    assert read(file, DistillColumns("review")).texts == TEXTS


def test_answers_are_read_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (module, transfer):
        monkeypatch.setattr(each, "PART_ROWS", 2)
    (tmp_path / "a.csv").write_text("text,mood\na,joy\nb,anger\nc,joy\nd,glee\n")
    parts = transfer_parts(tmp_path / "a.csv", Answers(DistillColumns(label_column="mood"), LABELS))
    assert next(parts).texts == ["a", "b"]
    with pytest.raises(PotstillError, match=r"a\.csv:5: the data has no label 'glee'"):
        next(parts)


def test_sets_of_answers_and_of_logits_are_averaged(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.parquet", TEXTS, LOGITS.astype(np.float32))
    paths = [tmp_path / "a.parquet", write_wide(tmp_path, "a.csv")]
    (averaged,) = average_parts(paths, Answers(BY_LABEL, LABELS))
    np.testing.assert_allclose(averaged.logits, LOGITS, rtol=1e-5)


def test_answers_are_checked_before_they_are_needed(tmp_path: Path) -> None:
    (tmp_path / "logits").mkdir()
    answers = Answers(DistillColumns(label_column="mood"), LABELS)
    with pytest.raises(PotstillError, match=r"logits: no part-\*\.parquet in it"):
        check_transfer([tmp_path / "logits"], answers, paired=False)
    with pytest.raises(PotstillError, match=r"a\.csv:1: no column 'mood'"):
        check_transfer([write_wide(tmp_path, "a.csv")], answers, paired=False)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_answers_on_pairs_are_read_and_are_not_for_single_texts(name: str, tmp_path: Path) -> None:
    rows = [("a film", "it is fine", "joy"), ("a film", "it is dull", "anger")]
    columns = ("sentence1", "sentence2", "mood")
    lines = [",".join(row) for row in (columns, *rows)]
    if name == "a.jsonl":
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
    (tmp_path / name).write_text("\n".join(lines))
    answers = Answers(DistillColumns(label_column="mood"), LABELS)
    (part,) = transfer_parts(tmp_path / name, answers)
    assert part.texts == [row[:2] for row in rows] and part.logits.argmax(axis=1).tolist() == [1, 0]
    check_transfer([tmp_path / name], answers, paired=True)
    with pytest.raises(PotstillError, match=r"has pairs of texts, but the data has single texts"):
        check_transfer([tmp_path / name], answers, paired=False)
