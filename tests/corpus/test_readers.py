"""Columns of any name, in every form of file that has columns."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from potstill.corpus.columns import Columns
from potstill.corpus.examples import Example, read_examples, read_texts
from potstill.corpus.readers import column_names
from potstill.errors import PotstillError

Table = dict[str, list[Any]]


def rows_of(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def as_csv(table: Table) -> bytes:
    rows = [table, *zip(*table.values(), strict=True)]
    return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()


def as_jsonl(table: Table) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows_of(table)).encode()


def as_parquet(table: Table) -> bytes:
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(table), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


FORMS: dict[str, Callable[[Table], bytes]] = {
    "a.csv": as_csv,
    "a.csv.gz": lambda table: gzip.compress(as_csv(table)),
    "a.jsonl": as_jsonl,
    "a.jsonl.gz": lambda table: gzip.compress(as_jsonl(table)),
    "a.parquet": as_parquet,
}
REVIEWS: Table = {"id": [7, 8], "review": ["a fine film", "a dull one"], "stars": [5, 1]}
FLAGS: Table = {"text": ["a fine film", "a dull one"], "joy": [1, 0], "anger": [0, 1]}


@pytest.fixture(params=FORMS)
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Table], Path]:
    """Writes a table in one of the forms."""

    def make(table: Table) -> Path:
        file = tmp_path / str(request.param)
        file.write_bytes(FORMS[file.name](table))
        return file

    return make


def test_columns_may_have_any_names(write: Callable[[Table], Path]) -> None:
    rows = read_examples(write(REVIEWS), Columns("review", label_column="stars"))
    assert rows == [Example("a fine film", "5"), Example("a dull one", "1")]
    assert list(read_texts(write(REVIEWS), Columns("review"))) == ["a fine film", "a dull one"]


def test_the_second_text_may_have_any_name(write: Callable[[Table], Path]) -> None:
    table = {"premise": ["a"], "guess": ["b"], "label": ["yes"]}
    assert read_examples(write(table), Columns("premise", "guess")) == [Example("a", "yes", pair="b")]


def test_where_the_text_is_named_a_second_one_is_not_read_by_chance(write: Callable[[Table], Path]) -> None:
    table = {"text": ["a"], "text_pair": ["b"], "label": ["yes"]}
    assert read_examples(write(table)) == [Example("a", "yes", pair="b")]
    assert read_examples(write(table), Columns("text_pair")) == [Example("b", "yes")]


def test_a_column_for_each_label_gives_the_one_that_is_set(write: Callable[[Table], Path]) -> None:
    columns = Columns(label_columns=("joy", "anger"))
    expected = [Example("a fine film", ("joy",)), Example("a dull one", ("anger",))]
    assert read_examples(write(FLAGS), columns) == expected
    as_bools = FLAGS | {name: [bool(value) for value in FLAGS[name]] for name in ("joy", "anger")}
    assert read_examples(write(as_bools), columns) == expected


@pytest.mark.parametrize(
    ("joy", "anger", "complaint"),
    [
        (1, "yes", r":{line}: 'yes' in column 'anger'; a column of a label has 1 or 0"),
        (0, 2, r":{line}: '2' in column 'anger'; a column of a label has 1 or 0"),
    ],
)
def test_a_column_of_a_label_has_one_or_zero(
    joy: int, anger: Any, complaint: str, write: Callable[[Table], Path]
) -> None:
    file = write({"text": ["fine", "dull"], "joy": [1, joy], "anger": [type(anger)(0), anger]})
    line = 3 if ".csv" in file.name else 2
    with pytest.raises(PotstillError, match=complaint.replace("{line}", str(line))):
        read_examples(file, Columns(label_columns=("joy", "anger")))


def test_a_file_without_known_names_is_one_line_with_the_likeliest_ones(write: Callable[[Table], Path]) -> None:
    file = write(REVIEWS)
    line = "" if file.suffix == ".parquet" else ":1"
    with pytest.raises(PotstillError) as raised:
        read_examples(file)
    assert str(raised.value) == (
        f"{file}{line}: no column 'text'; it has id, review, stars: give --text_column review --label_column stars"
    )
    with pytest.raises(PotstillError, match=r"no column 'text'; it has .*: give --text_column review$"):
        list(read_texts(file))
    with pytest.raises(PotstillError, match=r"no column 'label'; it has .*: give --label_column stars$"):
        read_examples(file, Columns("review"))


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        (Columns("words"), "no column 'words', which --text_column names; it has id, review, stars$"),
        (Columns("review", "other"), "no column 'other', which --text_pair_column names; it has id"),
        (Columns("review", label_column="mood"), "no column 'mood', which --label_column names; it has id"),
        (Columns("review", label_columns=("stars", "mood")), "no column 'mood', which --label_columns names; it"),
    ],
)
def test_a_named_column_that_is_missing_is_told_with_those_that_are_there(
    columns: Columns, complaint: str, write: Callable[[Table], Path]
) -> None:
    with pytest.raises(PotstillError, match=complaint):
        read_examples(write(REVIEWS), columns)


def test_one_column_is_not_text_and_label_in_one(write: Callable[[Table], Path]) -> None:
    table = {"text": ["fine"], "label": ["1"]}
    for columns in (Columns("label"), Columns(label_column="text")):
        with pytest.raises(
            PotstillError, match=r"column '(label|text)' would be text and label in one: name the other"
        ):
            read_examples(write(table), columns)


@pytest.mark.parametrize("name", ["a.txt", "a.tsv"])
def test_a_form_without_columns_has_none_to_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("fine\t1\n")
    for columns, option in ((Columns("review"), "text_column"), (Columns(label_columns=("a", "b")), "label_columns")):
        with pytest.raises(PotstillError, match=rf"{name}: has no columns, but --{option} names one: leave it out"):
            read_examples(tmp_path / name, columns)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.csv", "id,review,review,stars\n1,fine,dull,1\n", 1),
        ("a.jsonl", '{"review": "a", "stars": 1}\n{"review": "fine", "stars": 1, "review": "dull"}\n', 2),
    ],
)
def test_a_named_column_that_is_there_twice_is_refused(name: str, content: str, line: int, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(PotstillError, match=rf"{name}:{line}: two columns 'review'; rename or remove one"):
        read_examples(tmp_path / name, Columns("review", label_column="stars"))


def test_columns_that_are_not_read_may_be_there_twice(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,x,text,label\n1,2,fine,1\n")
    (tmp_path / "a.jsonl").write_text('{"x": 1, "x": {"text": "label"}, "text": "\\"text\\"", "label": "text"}\n')
    assert read_examples(tmp_path / "a.csv") == [Example("fine", "1")]
    assert read_examples(tmp_path / "a.jsonl") == [Example('"text"', "text")]


def test_objects_of_a_file_may_have_other_names_each(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": 1}\n{"id": 1, "sentence": "b", "label": 0}\n{"id": 2}\n')
    with pytest.raises(PotstillError, match=r"a\.jsonl:3: no column 'text'; it has id: rename or add one"):
        read_examples(tmp_path / "a.jsonl")


def test_parquet_columns_of_one_beginning_are_not_mixed_up(tmp_path: Path) -> None:
    import pyarrow

    # Arrow selects "review.text" too where "review" is asked for; Python has no such date.
    never = pyarrow.array([10**15], pyarrow.timestamp("ms"))
    (tmp_path / "a.parquet").write_bytes(as_parquet({"review": ["fine"], "review.text": never, "label": ["1"]}))
    assert read_examples(tmp_path / "a.parquet", Columns("review")) == [Example("fine", "1")]


def test_a_named_column_tells_the_sign_that_divides_a_csv_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("my review;stars\nfine, well made;1\n")
    assert read_examples(tmp_path / "a.csv", Columns("my review", label_column="stars")) == [
        Example("fine, well made", "1")
    ]
    with pytest.raises(PotstillError, match=r"give --text_column 'my review' --label_column stars$"):
        read_examples(tmp_path / "a.csv")


def test_the_error_of_a_file_without_known_names_is_not_lost_in_a_later_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"review,stars\nfine,1\nf\xefne,0\n")
    with pytest.raises(PotstillError, match=r"a\.csv:1: no column 'text'; it has review, stars: give --text_column"):
        read_examples(tmp_path / "a.csv")


def test_the_names_of_columns_are_those_of_the_file(write: Callable[[Table], Path]) -> None:
    assert column_names(write(FLAGS)) == ["text", "joy", "anger"]
