"""What a transfer set is made of: kinds of texts, and what was changed in them."""

from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from potstill.augment.sampling import Kind
from potstill.corpus.transfer import TransferSet
from potstill.reporting.transfer import KINDS, Piece, _augmented_parts, _given_parts, find_composition, mark_changes

TRAIN = ["A film of great charm .", "dull", "one two three four five six"]


def transfer_set(*texts: str) -> TransferSet:
    return TransferSet(list(texts), np.zeros((len(texts), 2), dtype=np.float32))


def test_every_kind_of_text_has_words() -> None:
    assert set(KINDS) == {*get_args(Kind), "unlabelled", "other"}


def test_the_kinds_are_those_that_the_texts_were_written_with(reported: Path) -> None:
    kinds = pyarrow.parquet.read_table(reported / "augmented" / "texts.parquet")["kind"].to_pylist()
    counts = {KINDS[kind]: n for kind, n in Counter(kinds).items()}
    assert {kind.title: kind.n_texts for kind in find_composition(reported).kinds} == counts


def test_each_part_has_its_own_rows_of_the_texts(tmp_path: Path) -> None:
    columns = {"source": pyarrow.array([0, 2, None], pyarrow.int32()), "kind": ["own", "cut", "unlabelled"]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "texts.parquet")
    parts = _augmented_parts([transfer_set("a", "b"), transfer_set("c")], tmp_path / "texts.parquet")
    assert [(origins.kinds.tolist(), origins.sources) for _, origins in parts] == [
        (["own", "cut"], [0, 2]),
        (["unlabelled"], [-1]),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a film  of great charm .", "own"),
        ("dull", "own"),
        ("never seen", "other"),
        ("A film of [MASK] charm .", "other"),
        ("two [MASK] four", "other"),
    ],
)
def test_of_a_given_set_only_the_texts_of_train_are_known(text: str, kind: str) -> None:
    ((_, origins),) = _given_parts([transfer_set(text)], TRAIN)
    assert origins.kinds.tolist() == [kind]


def marked(text: str, source: str | None) -> str:
    """The changed pieces in brackets."""
    signs = {"masked": "{}", "replaced": "()", "": ("", "")}
    return "".join(
        f"{signs[piece.change][0]}{piece.text}{signs[piece.change][1]}" for piece in mark_changes(text, source)
    )


@pytest.mark.parametrize(
    ("text", "source", "shown"),
    [
        ("A film of [MASK] wit .", TRAIN[0], "A film of {[MASK]} (wit) ."),
        ("[MASK] [MASK] of great charm .", TRAIN[0], "{[MASK]} {[MASK]} of great charm ."),
        ("a film of great charm .", TRAIN[0], "a film of great charm ."),
        ("two [MASK] nine", TRAIN[2], "two {[MASK]} (nine)"),
        ("a wit <mask>", None, "a wit {<mask>}"),
    ],
)
def test_masks_and_new_words_are_marked(text: str, source: str | None, shown: str) -> None:
    assert marked(text, source) == shown


def test_the_pieces_are_the_text() -> None:
    text = " a  [MASK], (b)"
    pieces = mark_changes(text, "a c, (d)")
    assert "".join(piece.text for piece in pieces) == text and Piece("[MASK]", "masked") in pieces
