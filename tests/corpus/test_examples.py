"""Reading labelled text: every format, and every way in which a file can be bad."""

import gzip
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from potstill.corpus import lines
from potstill.corpus.columns import Columns
from potstill.corpus.examples import Example, holds_pairs, read_all_texts, read_examples, read_pairs, read_texts
from potstill.errors import PotstillError


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_tsv_line_is_text_and_label(tmp_path: Path) -> None:
    rows = read_examples(write(tmp_path / "a.txt", "a fine film\tvery good\ndull\tbad\n"))
    assert rows == [Example("a fine film", "very good"), Example("dull", "bad")]


def test_three_fields_are_a_pair(tmp_path: Path) -> None:
    assert read_examples(write(tmp_path / "a.tsv", "a\tb\tyes\n")) == [Example("a", "yes", pair="b")]


def test_a_byte_order_mark_crlf_and_blank_lines_are_fine(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="potstill"):
        rows = read_examples(write(tmp_path / "a.txt", b"\xef\xbb\xbffine\t1\r\n\r\n  \r\ndull\t0\r\n"))
    assert rows == [Example("fine", "1"), Example("dull", "0")]
    assert "skipped 2 blank lines" in caplog.text


def test_csv_fields_may_hold_commas_and_line_ends(tmp_path: Path) -> None:
    rows = read_examples(write(tmp_path / "a.csv", 'label,text\n1,"fine, and\nshort"\n'))
    assert rows == [Example("fine, and\nshort", "1")]


def test_jsonl_accepts_whole_numbers_as_labels(tmp_path: Path) -> None:
    assert read_examples(write(tmp_path / "a.jsonl", '{"sentence": "fine", "label": 1}\n')) == [Example("fine", "1")]


def test_parquet_has_columns_too(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"text": ["a"], "text_pair": ["b"], "label": ["yes"]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert read_examples(tmp_path / "a.parquet") == [Example("a", "yes", pair="b")]


def test_a_label_that_looks_like_logits_is_a_label(tmp_path: Path) -> None:
    assert read_examples(write(tmp_path / "a.txt", "fine\t0.1 -0.3\n")) == [Example("fine", "0.1 -0.3")]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.txt", "fine\t1\nno label\n", "a.txt:2: no label; a line is text<TAB>label"),
        ("a.txt", "fine\t1\n\na\tb\tc\td\n", "a.txt:3: 4 fields"),
        ("a.txt", "fine\t1\n \t0\n", "a.txt:2: empty text"),
        ("a.txt", "fine\t1\ndull\t \n", "a.txt:2: no label"),
        ("a.txt", "a\t\tyes\n", "a.txt:1: empty text"),
        ("a.txt", b"fine\t1\nf\xefne\t1\n", r"a.txt:2: not UTF-8 \(byte 0xef\); convert it: iconv"),
        ("a.csv", b"text,label\nf\xefne,1\n", "a.csv:.*not UTF-8"),
        ("a.txt", "", "a.txt: no examples in it"),
        ("a.txt", "a\tb\tyes\nc\tno\n", "a.txt:2: a single text where the others are pairs"),
        ("a.csv", "text,label\nfine,1,2\n", "a.csv:2: more fields than the header"),
        ("a.csv", 'text,label\n"fine,1\n', "not CSV"),
        ("a.csv", "words,label\nfine,1\n", "a.csv:1: no column 'text'; it has words, label: give --text_column words$"),
        ("a.txt", "__label__good fine\n", "a.txt:1: no label; .* of fastText's form: sed"),
        ("a.txt", "version https://git-lfs.github.com/spec/v1\noid 1\n", "a.txt: a pointer of Git LFS"),
        ("a.csv", "text,label\nfine\n", "a.csv:2: no label"),
        ("a.jsonl", '{"text": "fine", "label": 1}\nfine\n', "a.jsonl:2: not JSON"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: not a JSON object"),
        ("a.jsonl", '{"text": 3, "label": 1}\n', "a.jsonl:1: the text is missing or not a string"),
        ("a.jsonl", '{"text": "fine", "label": [0.1, 0.2]}\n', "a.jsonl:1: no label"),
        ("a.jsonl", '{"text": "fine \\ud83d", "label": 1}\n', "a.jsonl:1: half a character"),
        ("a.jsonl", '{"text": "fine", "label": "\\ud83d"}\n', "a.jsonl:1: half a character .* in the label"),
        ("a.jsonl", '{"text": "fine", "label": 1}\n' + "[" * 100_000, "a.jsonl:2: not JSON .maximum recursion depth"),
        ("a.jsonl", '{"text": "fine", "label": ' + "9" * 5000 + "}", "a.jsonl:1: not JSON .Exceeds the limit"),
        ("a.csv", 'text,"la\nbel"\nfine,1\n', "a.csv:1: no column 'label'; it has text, la bel: rename or add one"),
        ("a.csv", f"text,{'x' * 5000}\nfine,1\n", r"no column 'label'; it has text, x{194} \.\.\.: rename or add one"),
        ("a.csv", "text,text,label\nfine,dull,1\n", "a.csv:1: two columns 'text'; rename or remove one"),
        ("a.parquet", "not parquet", "a.parquet: not a Parquet file"),
        ("a.doc", "fine\t1\n", "unknown file ending; use one of .csv, .jsonl"),
    ],
)
def test_bad_input_is_named_with_file_and_line(name: str, content: str | bytes, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=complaint):
        read_examples(write(tmp_path / name, content))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "fine\n\n dull \n"),
        ("a.csv", "text,stars\nfine,3\ndull,1\n"),
        ("a.jsonl", '{"text": "fine", "label": 2.5}\n{"sentence": "dull"}\n'),
    ],
)
def test_texts_need_no_label(name: str, content: str, tmp_path: Path) -> None:
    assert list(read_texts(write(tmp_path / name, content))) == ["fine", "dull"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.txt", "fine\ndull\t0\n", "a.txt:2: a tab in a text without label; take it out"),
        ("a.txt", " \n", "a.txt: no texts in it"),
        ("a.csv", "words\nfine\n", "a.csv:1: no column 'text'; it has words: give --text_column words$"),
        ("a.jsonl", '{"text": "a", "text_pair": "b"}\n', "a.jsonl:1: a pair of texts"),
        ("a.jsonl", '{"text": " "}\n', "a.jsonl:1: empty text"),
        ("a.doc", "fine\n", "unknown file ending"),
    ],
)
def test_bad_texts_without_labels_are_named_with_their_line(
    name: str, content: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(PotstillError, match=complaint):
        list(read_texts(write(tmp_path / name, content)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "fine \tso it is\n\ndull\tnot so\n"),
        ("a.csv", "text,text_pair,label\nfine,so it is,1\ndull,not so,\n"),
        ("a.jsonl", '{"sentence1": "fine", "sentence2": "so it is"}\n{"text": "dull", "text_pair": "not so"}\n'),
    ],
)
def test_pairs_need_no_label(name: str, content: str, tmp_path: Path) -> None:
    assert list(read_pairs(write(tmp_path / name, content))) == [("fine", "so it is"), ("dull", "not so")]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.txt", "a\tb\nfine\n", "a.txt:2: 1 fields; a pair without label is text<TAB>text"),
        ("a.txt", "a\tb\tyes\n", "a.txt:1: 3 fields"),
        ("a.txt", "sentence1\tsentence2\na\tb\n", "a.txt:1: names of columns"),
        ("a.txt", "a\t \n", "a.txt:1: empty text"),
        ("a.txt", "\n", "a.txt: no pairs of texts in it"),
        ("a.jsonl", '{"text": "a", "text_pair": "b"}\n{"text": "a"}\n', "a.jsonl:2: no second text"),
        ("a.csv", "text,text_pair\na,b\na,\n", "a.csv:3: empty text"),
    ],
)
def test_bad_pairs_without_labels_are_named_with_their_line(
    name: str, content: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(PotstillError, match=complaint):
        list(read_pairs(write(tmp_path / name, content)))


def test_columns_say_whether_a_file_holds_pairs(tmp_path: Path) -> None:
    table = write(tmp_path / "a.csv", "text,text_pair\na,b\n")
    assert holds_pairs(table) and not holds_pairs(table, Columns("text"))
    assert not holds_pairs(write(tmp_path / "a.txt", "a b\n"))
    assert list(read_all_texts([table, table], paired=True)) == [("a", "b")] * 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"none\.txt: no such file"):
        read_examples(tmp_path / "none.txt")


def test_csv_that_is_not_utf8_is_named_with_its_very_line(tmp_path: Path) -> None:
    content = b"text,label\n" + b"fine,1\n" * 500 + b"f\xefne,1\n" + b"fine,1\n" * 500
    with pytest.raises(PotstillError, match=r"a\.csv:502: not UTF-8 \(byte 0xef\)"):
        read_examples(write(tmp_path / "a.csv", content))


def test_csv_may_have_a_byte_order_mark_crlf_and_blank_lines(tmp_path: Path) -> None:
    rows = read_examples(write(tmp_path / "a.csv", b'\xef\xbb\xbftext,label\r\n"fine\r\n\r\none",1\r\n\r\ndull,0\r\n'))
    assert rows == [Example("fine\r\n\r\none", "1"), Example("dull", "0")]


def test_a_parquet_file_with_a_damaged_page_is_one_line(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"text": [f"text {i * 7919}" for i in range(5000)], "label": ["1"] * 5000})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    middle = slice(10, len(content) // 2)
    content[middle] = bytes(byte ^ 0x5A for byte in content[middle])  # the footer stays whole
    with pytest.raises(PotstillError, match=r"a\.parquet: not a Parquet file, cut short or damaged") as raised:
        read_examples(write(tmp_path / "a.parquet", bytes(content)))
    assert "\n" not in str(raised.value)


def test_a_label_of_two_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match=r"a\.csv:3: the label has a tab or a line end in it"):
        read_examples(write(tmp_path / "a.csv", 'text,label\nfine,"very\ngood"\n'))


def test_an_index_column_without_a_name_is_left_alone(tmp_path: Path) -> None:
    assert read_examples(write(tmp_path / "a.csv", ",text,label\n0,fine,1\n")) == [Example("fine", "1")]


def test_blank_csv_lines_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="potstill"):
        assert len(read_examples(write(tmp_path / "a.csv", "\ntext,label\nfine,1\n\ndull,0\n"))) == 2
    assert "skipped 2 blank lines" in caplog.text


@pytest.mark.parametrize("name", ["a.txt", "a.csv"])
def test_a_file_without_line_ends_is_not_read_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 20)
    assert len(read_examples(write(tmp_path / "a.txt", "a film of 17 by\t1\n"))) == 1
    with pytest.raises(PotstillError, match=rf"{name}:2: a line of over 20 bytes; is this a text file\?"):
        read_examples(write(tmp_path / name, ("fine\t1\n" if name == "a.txt" else "text,label\n") + "f" * 1000))


def parquet(path: Path, **columns: Any) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_a_parquet_column_without_labels_is_refused(tmp_path: Path) -> None:
    for label in (b"good", datetime(2026, 1, 1)):
        with pytest.raises(PotstillError, match=r"a\.parquet:1: no label"):
            read_examples(parquet(tmp_path / "a.parquet", text=["fine"], label=[label]))


def test_parquet_text_that_is_not_utf8_is_one_line(tmp_path: Path) -> None:
    import pyarrow

    text = pyarrow.array([b"f\xefne"]).view(pyarrow.string())
    with pytest.raises(PotstillError, match=r"a\.parquet: .*'utf-8' codec can't decode"):
        read_examples(parquet(tmp_path / "a.parquet", text=text, label=["1"]))


def test_columns_that_are_not_asked_for_are_not_read(tmp_path: Path) -> None:
    import pyarrow

    never = pyarrow.array([10**15], pyarrow.timestamp("ms"))  # beyond Python's dates
    rows = read_examples(parquet(tmp_path / "a.parquet", text=["fine"], label=["1"], seen=never))
    assert rows == [Example("fine", "1")]


def test_labels_are_whole_numbers_of_any_kind_and_composed(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a", "label": 1.0}\n{"text": "b", "label": 2}\n{"text": "c", "label": "cafe\\u0301"}\n')
    assert [example.label for example in read_examples(file)] == ["1", "2", "caf\u00e9"]


@pytest.mark.parametrize(("name", "content"), [("a.csv.gz", "text,label\na,x\n"), ("a.TXT.GZ", "a\tx\n")])
def test_text_may_be_compressed(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(gzip.compress(content.encode()))
    assert [(example.text, example.label) for example in read_examples(tmp_path / name)] == [("a", "x")]
