"""Headers: one where none belongs, and the form of a CSV file's."""

from pathlib import Path

import pytest

from potstill.corpus.columns import find_delimiter, is_header
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
