"""Token ids in flat arrays."""

from pathlib import Path

import numpy as np
import pytest

from potstill.artifacts import atomic_folder
from potstill.corpus.encoded import NO_GOLD, Encoded, encode, limited, token_batches
from potstill.corpus.words import build_tokenizer
from potstill.errors import PotstillError

TOKENIZER = build_tokenizer("abcdef", lower=False)


def test_texts_are_padded_to_the_longest_of_the_batch() -> None:
    encoded = encode(["a b c", "d", "e f"], limited(TOKENIZER, 100), targets=np.array([0, 1, 1]))
    batch = encoded.pad(np.array([2, 1]), pad_id=0)
    np.testing.assert_array_equal(batch["input_ids"], [[7, 8], [6, 0]])
    np.testing.assert_array_equal(batch["attention_mask"], [[1, 1], [1, 0]])
    np.testing.assert_array_equal(batch["labels"], [1, 1])


def test_long_texts_are_cut() -> None:
    assert encode(["a b c"], limited(TOKENIZER, 2)).lengths.tolist() == [2]


def test_rows_are_the_same_texts() -> None:
    encoded = encode(["a b c", "d", "e f"], limited(TOKENIZER, 9), targets=np.eye(3, dtype=np.float32))
    part = encoded.rows(1, 3)
    assert part.token_ids.tolist() == [6, 7, 8] and part.offsets.tolist() == [0, 1, 3]
    assert part.targets is not None and part.targets.tolist() == [[0, 1, 0], [0, 0, 1]]


def test_batches_keep_to_the_budget_and_cover_every_row_once() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 500)
    batches = token_batches(lengths, 100)
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    assert all(len(rows) * lengths[rows].max() <= 100 for rows in batches)


def test_a_folder_that_is_not_complete_is_refused(tmp_path: Path) -> None:
    encode(["a"], limited(TOKENIZER, 9)).save(tmp_path)
    with pytest.raises(PotstillError, match="potstill preprocess"):
        Encoded.load(tmp_path)


def test_gold_labels_beside_logits_go_with_their_texts(tmp_path: Path) -> None:
    gold = np.array([1, NO_GOLD, 0])
    encoded = encode(["a b c", "d", "e f"], limited(TOKENIZER, 9), targets=np.eye(3, dtype=np.float32), gold=gold)
    assert encoded.pad(np.array([2, 0]), pad_id=0)["gold"].tolist() == [0, 1]
    assert encoded.rows(1, 3).pad(np.array([0, 1]), pad_id=0)["gold"].tolist() == [NO_GOLD, 0]
    with atomic_folder(tmp_path / "encoded", {}) as work:
        encoded.save(work)
    again = Encoded.load(tmp_path / "encoded")
    assert again.gold is not None and again.gold.tolist() == gold.tolist()
    assert "gold" not in encode(["a"], limited(TOKENIZER, 9)).pad(np.array([0]), pad_id=0)
