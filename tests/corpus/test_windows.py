"""Windows of long texts: every token is in one of them, and none is longer than a model reads."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from potstill.corpus.encoded import encode, limited
from potstill.corpus.texts import LongTexts
from potstill.corpus.windows import WindowEncoder, Windows
from potstill.tasks import find_task

WORDS = {name: index for index, name in enumerate(["[CLS]", "[SEP]", *"abcdefghij"])}


def tokenizer_of(special: bool = True) -> Tokenizer:
    tokenizer = Tokenizer(WordLevel(WORDS, unk_token="a"))
    tokenizer.pre_tokenizer = Whitespace()
    if special:
        tokenizer.post_processor = TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
        )
    return tokenizer


TEXTS = st.lists(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=30).map(" ".join), min_size=1, max_size=5)


@given(texts=TEXTS, n_ctx=st.integers(4, 12), special=st.booleans())
def test_every_token_is_in_one_window_and_none_is_too_long(texts: list[str], n_ctx: int, special: bool) -> None:
    tokenizer = tokenizer_of(special)
    windows = WindowEncoder(tokenizer, n_ctx, "mean")(texts)
    encoded = windows.encoded
    assert len(windows) == len(texts) and windows.counts.sum() == len(encoded) and encoded.lengths.max() <= n_ctx
    ends = np.cumsum(windows.counts).tolist()
    for text, count, end in zip(texts, windows.counts.tolist(), ends, strict=True):
        read: list[int] = []
        lengths = []
        for row in range(end - count, end):
            ids = encoded.token_ids[encoded.offsets[row] : encoded.offsets[row + 1]].tolist()
            if special:
                assert (ids[0], ids[-1]) == (0, 1)
                ids = ids[1:-1]
            read += ids
            lengths.append(len(ids))
        assert read == [WORDS[word] for word in text.split()] and max(lengths) - min(lengths) <= 1


def test_a_text_that_fits_is_as_without_windows() -> None:
    texts = ["a b c", "d", "e f g h i"]
    windows = WindowEncoder(tokenizer_of(), 7, "mean")(texts)
    plain = encode(texts, limited(tokenizer_of(), 7))
    np.testing.assert_array_equal(windows.encoded.token_ids, plain.token_ids)
    logits = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    assert windows.join(logits, find_task()) is logits and windows.n_long == 0


@pytest.mark.parametrize(
    ("how", "expected"), [("mean", [[2, 1], [0, 5], [1, 1]]), ("confident", [[4, 0], [0, 5], [1, 0]])]
)
def test_the_logits_of_a_text_are_of_its_windows(how: LongTexts, expected: Any) -> None:
    texts = ["a b c d e f", "a", "a b c d e f g h i j"]  # of 2, 1 and 3 windows
    windows = WindowEncoder(tokenizer_of(), 6, how)(texts)
    assert windows.counts.tolist() == [2, 1, 3] and windows.n_long == 2
    logits = np.array([[4, 0], [0, 2], [0, 5], [1, 0], [1, 1], [1, 2]], dtype=np.float32)
    if how == "confident":
        logits[5] = 1
    np.testing.assert_allclose(windows.join(logits, find_task()), expected)


@pytest.mark.parametrize("texts", [["a b c d e f"], [("a b c", "d e f g")]])
def test_first_windows_and_pairs_are_cut(texts: Any) -> None:
    windows = WindowEncoder(tokenizer_of(), 6, "first")(texts)
    assert windows.counts.tolist() == [1] and windows.encoded.lengths.tolist() == [6]
    assert WindowEncoder(tokenizer_of(), 6, "mean")([("a b c", "d e f g")]).counts.tolist() == [1]


def test_windows_of_no_text() -> None:
    windows: Windows = WindowEncoder(tokenizer_of(), 6, "mean")([])
    assert len(windows) == 0 and windows.join(np.zeros((0, 2), np.float32), find_task()).shape == (0, 2)
