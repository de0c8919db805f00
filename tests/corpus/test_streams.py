"""Streams of texts in parts, and without duplicates."""

import numpy as np
import pytest

from potstill.corpus.streams import Seen, distinct, in_parts


def test_parts_are_full_but_for_the_last() -> None:
    assert list(in_parts("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(in_parts("abcd", 2)) == [["a", "b"], ["c", "d"]]
    assert list(in_parts("", 2)) == []


def test_parts_are_made_as_they_are_asked_for() -> None:
    items = iter(range(10))
    next(in_parts(items, 3))
    assert next(items) == 3


@pytest.mark.parametrize("part", [1, 7, 100, 5000])
def test_the_first_of_equal_texts_is_new_whatever_the_parts(part: int) -> None:
    texts = [f"text {i}" for i in np.random.default_rng(0).integers(0, 900, 5000)]
    seen = Seen()
    new = np.concatenate([seen.add(texts[start : start + part]) for start in range(0, len(texts), part)])
    assert [text for text, is_new in zip(texts, new, strict=True) if is_new] == list(dict.fromkeys(texts))


def test_a_text_is_remembered_in_8_bytes() -> None:
    seen = Seen()
    for start in range(0, 30_000, 1000):
        assert seen.add([f"text {i}" for i in range(start, start + 1000)]).all()
    assert sum(run.nbytes for run in seen._runs) == 8 * 30_000
    assert len(seen._runs) < 6


def test_no_texts_are_nothing_new() -> None:
    seen = Seen()
    assert seen.add([]).tolist() == []
    assert seen.add(["a"]).tolist() == [True] and seen.add([]).tolist() == []


def test_a_pair_differs_from_its_texts_and_from_its_reverse() -> None:
    texts = [("a", "b"), ("b", "a"), ("ab", ""), ("a", "b")]
    assert list(distinct(texts)) == texts[:3]
