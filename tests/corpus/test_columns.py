"""Headers: one where none belongs, and the form of a CSV file's; and the columns that a user names."""

from pathlib import Path
from typing import Any

import pytest

from potstill.corpus.columns import Columns, DistillColumns, find_delimiter, is_header
from potstill.corpus.examples import read_examples, read_texts
from potstill.corpus.splits import load_corpus
from potstill.errors import PotstillError
from standins import write_data


def write(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    "header", ["sentence\tlabel", "Text\tLabel", '"text"\t"label"', "label\ttext", "sentence1\tsentence2\tlabel"]
)
@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_a_header_in_any_split_is_refused_with_the_mend(header: str, split: str, tmp_path: Path) -> None:
    file = write_data(tmp_path) / f"{split}.txt"
    file.write_text(f"{header}\n{file.read_text()}")
    with pytest.raises(PotstillError, match=rf"{split}\.txt:1: names of columns .*remove the line: sed -i 1d FILE"):
        load_corpus(str(tmp_path), 1)


def test_a_header_after_blank_lines_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"a\.tsv:2: names of columns \(review, sentiment\).*sed -i 2d"):
        read_examples(write(tmp_path / "a.tsv", "\nreview\tsentiment\nfine\tpositive\n"))


def test_a_header_over_texts_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"a\.txt:1: names of columns \(text\)"):
        list(read_texts(write(tmp_path / "a.txt", "text\nfine\n")))


@pytest.mark.parametrize(
    "line", ["text\tpositive", "a label\tlabel", "question\tNUM", "fine\tlabel", "text\ttitle", "review", "label"]
)
def test_a_text_that_is_one_such_word_is_a_text(line: str) -> None:
    assert not is_header(line.split("\t"))


def test_only_the_first_line_is_taken_for_a_header(tmp_path: Path) -> None:
    assert len(read_examples(write(tmp_path / "a.txt", "fine\t1\ntext\tlabel\n"))) == 2


@pytest.mark.parametrize(
    "content",
    [
        "text, label\nfine, well made,1\n".replace("fine, well made", '"fine, well made"'),
        'text, label\n"fine, well made", "1"\n',
        ' text ,label \n"fine, well made",1\n',
        "text;label\nfine, well made;1\n",
        "id;text;label\n7;fine, well made;1\n",
        "text\tlabel\nfine, well made\t1\n",
        "text|label\nfine, well made|1\n",
        '"text";"label"\n"fine, well made";"1"\n',
        "\ufeff\ntext; label\nfine, well made; 1\n",
    ],
)
def test_csv_may_have_spaces_and_other_delimiters(content: str, tmp_path: Path) -> None:
    example = read_examples(write(tmp_path / "a.csv", content))[0]
    assert (example.text, example.label) == ("fine, well made", "1")


def test_a_text_without_spaces_after_commas_keeps_its_quotes(tmp_path: Path) -> None:
    assert read_examples(write(tmp_path / "a.csv", 'text,label\n "so" he said,1\n'))[0].text == '"so" he said'


def test_a_header_of_no_known_names_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"a\.csv:1: no column 'text'; it has words\^label: rename or add one"):
        read_examples(write(tmp_path / "a.csv", "words^label\nfine^1\n"))
    with pytest.raises(PotstillError, match=r"a\.csv:2: more fields than the header has; quote texts with ';' in them"):
        read_examples(write(tmp_path / "a.csv", "text;label\nfine;well made;1\n"))


def test_a_column_alone_needs_no_delimiter(tmp_path: Path) -> None:
    assert find_delimiter("text\n") == "," and find_delimiter('text,"a\rb\n') == ","
    assert list(read_texts(write(tmp_path / "a.csv", "text\nfine; well made\n"))) == ["fine; well made"]


def test_a_sign_in_a_name_that_the_user_gives_does_not_divide_the_header() -> None:
    assert find_delimiter("a text; the best\n") == ";"
    assert find_delimiter("a text; the best\n", ["a text; the best"]) == ","
    assert find_delimiter("text,said;mood\n", ["mood"]) == ";"


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"text_column": "a", "label_column": "a"}, "--text_column and --label_column: 'a' is named 2 times"),
        ({"text_column": "a", "text_pair_column": "a"}, "--text_column and --text_pair_column: 'a' is named 2 times"),
        ({"label_columns": ("a", "b", "a")}, "--label_columns: 'a' is named 2 times: a column has one use"),
        ({"text_column": "a", "label_columns": ("a", "b")}, "--text_column and --label_columns: 'a' is named 2 times"),
        ({"label_columns": ("a",)}, "--label_columns: give two names or more"),
        ({"label_columns": ("a", "")}, "--label_columns: give two names or more"),
    ],
)
@pytest.mark.parametrize("kind", [Columns, DistillColumns])
def test_a_column_has_one_use(kind: type[Columns], columns: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PotstillError, match=complaint):
        kind(**columns)


def test_labels_are_in_one_column_or_in_one_each() -> None:
    with pytest.raises(PotstillError, match="--label_column and --label_columns: give one of them"):
        Columns(label_column="a", label_columns=("b", "c"))


def test_what_is_not_named_is_no_input_of_a_stage() -> None:
    assert Columns().as_inputs == {}
    named = Columns("a", label_columns=("b", "c"))
    assert named.as_inputs == {"columns": {"text_column": ["a"], "label_columns": ["b", "c"]}}
    assert named.of_texts == Columns("a")


def test_beside_a_transfer_set_columns_of_labels_are_that_sets_where_the_data_has_its_own(tmp_path: Path) -> None:
    named = DistillColumns(label_columns=("joy", "anger"))
    one = write(tmp_path / "one.csv", "text,label\na,joy\n")
    each = write(tmp_path / "each.csv", "text,joy,anger\na,1,0\n")
    stars = write(tmp_path / "stars.csv", "text,label,stars\na,x,joy\n")
    assert read_examples(one, named.of_data(has_transfer=True))[0].label == "joy"
    assert read_examples(each, named.of_data(has_transfer=True))[0].label == ("joy",)
    both = DistillColumns(label_column="stars", label_columns=("joy", "anger"))
    assert read_examples(stars, both.of_data(has_transfer=True))[0].label == "joy"
    with pytest.raises(PotstillError, match=r"one\.csv:1: no column 'joy', which --label_columns names"):
        read_examples(one, named.of_data(has_transfer=False))
    with pytest.raises(PotstillError, match=r"one\.csv:1: no column 'stars', which --label_column names"):
        read_examples(one, both.of_data(has_transfer=True))
