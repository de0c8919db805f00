"""Transfer sets."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from potstill.corpus import transfer
from potstill.corpus.answers import Answers
from potstill.corpus.columns import DistillColumns
from potstill.corpus.transfer import (
    TransferSet,
    as_fields,
    average_parts,
    read_transfer,
    transfer_parts,
    write_shard,
    write_shards,
    write_tsv,
)
from potstill.errors import PotstillError

LOGITS = np.array([[0.25, -1.5], [2, 3]], dtype=np.float32)


def test_shards_are_read_in_order(tmp_path: Path) -> None:
    write_shard(tmp_path / "part-00001.parquet", ["b"], LOGITS[1:])
    write_shard(tmp_path / "part-00000.parquet", ["a"], LOGITS[:1])
    transfer = read_transfer(tmp_path)
    assert transfer.texts == ["a", "b"]
    np.testing.assert_array_equal(transfer.logits, LOGITS)


def test_pairs_come_back_as_pairs(tmp_path: Path) -> None:
    pairs = [("a", "b"), ("c", "d")]
    write_shard(tmp_path / "part-00000.parquet", pairs, LOGITS)
    write_tsv(tmp_path / "a.txt", [(pairs, as_fields(LOGITS))])
    for path in (tmp_path, tmp_path / "a.txt"):
        transfer = read_transfer(path)
        assert transfer.texts == pairs
        np.testing.assert_array_equal(transfer.logits, LOGITS)
    write_shard(tmp_path / "part-00000.parquet", [("a", "b"), ("c", " ")], LOGITS)
    with pytest.raises(PotstillError, match=r"part-00000\.parquet:2: no text"):
        read_transfer(tmp_path)
    (tmp_path / "a.txt").write_text("a\tb\t1 0\nc\t1 0\n")
    with pytest.raises(PotstillError, match=r"a\.txt:2: 1 texts before its logits: give each line one, or each a pair"):
        read_transfer(tmp_path / "a.txt")


def test_the_recipes_tsv_comes_back_as_it_was(tmp_path: Path) -> None:
    write_tsv(tmp_path / "a.txt", [(["a"], as_fields(LOGITS[:1])), (["b"], as_fields(LOGITS[1:]))])
    assert (tmp_path / "a.txt").read_text() == "a\t0.250000 -1.500000\nb\t2.000000 3.000000\n"
    np.testing.assert_array_equal(read_transfer(tmp_path / "a.txt").logits, LOGITS)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("a\t1 2\nb\t1\n", "every row needs one logit a label"),
        ("a\t1 2\nb\tpositive x\n", "a.txt:2: 'positive x' are not logits"),
        ("\t1 2\n", "a.txt:1: no text"),
        ("a\t1 nan\n", "row 1 has a logit that is not a finite number"),
        ("", "no texts"),
    ],
)
def test_a_bad_tsv_is_named(content: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(PotstillError, match=complaint):
        read_transfer(tmp_path / "a.txt")


def test_a_folder_or_a_parquet_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match="not a transfer set"):
        read_transfer(tmp_path)
    (tmp_path / "a.parquet").write_text("no")
    with pytest.raises(PotstillError, match="not a transfer set"):
        read_transfer(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"text": ["a"], "label": ["1"]}, "not a transfer set with columns text and logits"),
        ({"text": ["a", "b"], "logits": [[1.0, 2.0], None]}, "a.parquet:2: no text, or no list of numbers"),
        ({"text": ["a", None], "logits": [[1.0, 2.0], [1.0, 2.0]]}, "a.parquet:2: no text"),
        ({"text": ["a"], "logits": [[1.0, None]]}, "a.parquet:1: no text, or no list of numbers"),
        ({"text": ["a"], "logits": ["1 2"]}, "a.parquet:1: no text, or no list of numbers"),
    ],
)
def test_a_bad_parquet_file_is_one_line(columns: dict[str, list[object]], complaint: str, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    with pytest.raises(PotstillError, match=complaint) as raised:
        read_transfer(tmp_path / "a.parquet")
    assert "\n" not in str(raised.value)


def test_shards_of_two_widths_are_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "part-00000.parquet", ["a"], np.ones((1, 2), dtype=np.float32))
    write_shard(tmp_path / "part-00001.parquet", ["b"], np.ones((1, 3), dtype=np.float32))
    with pytest.raises(PotstillError, match=r"parts with \[2, 3\] logits a text"):
        read_transfer(tmp_path)


def written(path: Path, logits: list[list[float]], texts: tuple[str, ...] = ("a", "b")) -> Path:
    write_shard(path, texts, np.array(logits, dtype=np.float32))
    return path


def average(paths: list[Path]) -> TransferSet:
    (only,) = average_parts(paths)
    return only


def test_the_average_of_one_set_is_itself(tmp_path: Path) -> None:
    averaged = average([written(tmp_path / "one.parquet", LOGITS.tolist())])
    assert averaged.texts == ["a", "b"]
    np.testing.assert_array_equal(averaged.logits, LOGITS)


def test_sets_are_brought_to_the_first_ones_size_before_they_are_averaged(tmp_path: Path) -> None:
    first = written(tmp_path / "first.parquet", [[1, -1], [-1, 1]])
    larger = written(tmp_path / "larger.parquet", [[-30, 30], [-30, 30]])
    averaged = average([first, larger, larger])
    np.testing.assert_allclose(averaged.logits, np.array([[-1 / 3, 1 / 3], [-1, 1]]), rtol=1e-6)
    assert averaged.logits.dtype == np.float32
    same = average([larger, larger])
    np.testing.assert_allclose(same.logits, np.array([[-30, 30], [-30, 30]]), rtol=1e-6)


def test_sets_of_two_forms_are_averaged(tmp_path: Path) -> None:
    write_shard(tmp_path / "folder" / "part-00000.parquet", ["a", "b"], LOGITS)
    write_tsv(tmp_path / "a.txt", [(["a", "b"], as_fields(LOGITS * 2))])
    np.testing.assert_allclose(average([tmp_path / "folder", tmp_path / "a.txt"]).logits, LOGITS, rtol=1e-6)


def test_a_set_whose_logits_are_all_alike_does_no_harm(tmp_path: Path) -> None:
    first = written(tmp_path / "first.parquet", LOGITS.tolist())
    alike = written(tmp_path / "alike.parquet", [[0, 0], [0, 0]])
    np.testing.assert_allclose(average([first, alike]).logits, LOGITS / 2)


@pytest.mark.parametrize(
    ("logits", "texts"),
    [
        ([[1, 2], [3, 4]], ("a", "c")),
        ([[1, 2], [3, 4]], ("b", "a")),
        ([[1, 2]], ("a",)),
        ([[1, 2, 3], [3, 4, 5]], ("a", "b")),
    ],
)
def test_other_texts_or_labels_cannot_be_averaged(
    logits: list[list[float]], texts: tuple[str, ...], tmp_path: Path
) -> None:
    first = written(tmp_path / "first.parquet", LOGITS.tolist())
    other = written(tmp_path / "other.parquet", logits, texts)
    with pytest.raises(PotstillError, match=r"other\.parquet: other texts or labels than in .*first\.parquet"):
        average([first, first, other])


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PART_ROWS", 2)


TEXTS = ["a", "b", "c", "d", "e"]
TABLE = np.random.default_rng(0).normal(3, 2, (5, 2)).astype(np.float32)


@pytest.mark.parametrize("cuts", [(0, 5), (0, 1, 5), (0, 2, 3, 4, 5), (0, 4, 5)])
def test_parts_are_even_however_long_the_shards_are(cuts: tuple[int, ...], small_parts: None, tmp_path: Path) -> None:
    write_shards(tmp_path, (TransferSet(TEXTS, TABLE).rows(*cut) for cut in pairwise(cuts)))
    parts = list(transfer_parts(tmp_path))
    assert [part.texts for part in parts] == [["a", "b"], ["c", "d"], ["e"]]
    np.testing.assert_array_equal(np.concatenate([part.logits for part in parts]), TABLE)


def test_a_part_is_given_before_the_next_one_is_read(small_parts: None, tmp_path: Path) -> None:
    write_shard(tmp_path / "part-00000.parquet", TEXTS[:2], TABLE[:2])
    (tmp_path / "part-00001.parquet").write_text("no")
    parts = transfer_parts(tmp_path)
    assert next(parts).texts == ["a", "b"]
    with pytest.raises(PotstillError, match=r"part-00001\.parquet: not a transfer set"):
        next(parts)


def test_an_error_in_a_later_part_names_its_row(small_parts: None, tmp_path: Path) -> None:
    table = TABLE.copy()
    table[3, 1] = np.inf
    write_shard(tmp_path / "a.parquet", TEXTS, table)
    write_tsv(tmp_path / "a.txt", [(TEXTS, as_fields(table))])
    for name in ("a.parquet", "a.txt"):
        with pytest.raises(PotstillError, match=f"{name}: row 4 has a logit that is not a finite number"):
            read_transfer(tmp_path / name)


def test_several_sets_are_scaled_by_all_of_their_logits_whatever_the_parts(small_parts: None, tmp_path: Path) -> None:
    other = TABLE[::-1] * 7 + 1
    write_shard(tmp_path / "one.parquet", TEXTS, TABLE)
    write_shards(tmp_path / "other", (TransferSet(TEXTS, other).rows(*cut) for cut in ((0, 1), (1, 5))))
    parts = list(average_parts([tmp_path / "one.parquet", tmp_path / "other"]))
    expected = (TABLE + other * (TABLE.std() / other.std())) / 2
    np.testing.assert_allclose(np.concatenate([part.logits for part in parts]), expected, rtol=1e-5)


def test_a_longer_set_cannot_be_averaged(small_parts: None, tmp_path: Path) -> None:
    write_shard(tmp_path / "one.parquet", TEXTS[:4], TABLE[:4])
    write_shard(tmp_path / "other.parquet", TEXTS, TABLE)
    for paths in (["one.parquet", "other.parquet"], ["other.parquet", "one.parquet"]):
        with pytest.raises(PotstillError, match=f"{paths[1]}: other texts or labels than in"):
            list(average_parts([tmp_path / name for name in paths]))


def test_a_row_without_words_is_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.parquet", ["a", " \t"], LOGITS)
    with pytest.raises(PotstillError, match=r"a\.parquet:2: no text, or no list of numbers"):
        read_transfer(tmp_path / "a.parquet")


def test_a_logit_too_large_for_32_bits_is_refused_with_its_row(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"text": ["a", "b"], "logits": [[1.0, 2.0], [1e39, 0.0]]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "a.txt").write_text("a\t1 2\nb\t1e39 0\n")
    for name in ("a.parquet", "a.txt"):
        with pytest.raises(PotstillError, match=f"{name}: row 2 has a logit that is not a finite number"):
            read_transfer(tmp_path / name)


def test_text_that_is_not_utf8_and_logits_that_are_dates_are_one_line(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    text = pyarrow.array([b"f\xefne"]).view(pyarrow.string())
    never = pyarrow.array([10**15], pyarrow.timestamp("ms"))  # beyond Python's dates
    for columns, complaint in (
        ({"text": text, "logits": [[1.0, 2.0]]}, "'utf-8' codec can't decode"),
        ({"text": ["a"], "logits": never}, "a.parquet:1: no text, or no list of numbers"),
    ):
        pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
        with pytest.raises(PotstillError, match=complaint):
            read_transfer(tmp_path / "a.parquet")


def test_text_in_place_of_logits_is_shortened_in_the_message(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\t" + "x" * 5000)
    with pytest.raises(PotstillError, match=r"'x{200} \.\.\.' are not logits"):
        read_transfer(tmp_path / "a.txt")


def test_logits_of_any_list_and_number_are_read(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    for kind in (
        pyarrow.list_(pyarrow.float64()),
        pyarrow.large_list(pyarrow.float16()),
        pyarrow.list_(pyarrow.int64(), 2),
    ):
        columns = {"text": ["a", "b"], "logits": pyarrow.array(np.array([[1, -2], [3, 4]], np.float16).tolist(), kind)}
        pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
        assert read_transfer(tmp_path / "a.parquet").logits.tolist() == [[1, -2], [3, 4]]


def test_a_set_of_pairs_may_have_columns_of_other_names(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"premise": ["a", "c"], "guess": ["b", "d"], "logits": LOGITS.tolist()})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    answers = Answers(DistillColumns("premise", "guess"), ["no", "yes"])
    (part,) = transfer_parts(tmp_path / "a.parquet", answers)
    assert part.texts == [("a", "b"), ("c", "d")]
