"""Token ids in flat arrays."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from potstill.artifacts import atomic_folder
from potstill.corpus.encoded import Chunk, Encoded, encode, encode_chunks, limited, token_batches
from potstill.corpus.words import build_tokenizer
from potstill.errors import PotstillError
from potstill.tasks import NO_LABEL

TOKENIZER = build_tokenizer("abcdef", lower=False)


def test_texts_are_padded_to_the_longest_of_the_batch() -> None:
    encoded = encode(["a b c", "d", "e f"], limited(TOKENIZER, 100), gold=np.array([0, 1, 1]))
    batch = encoded.pad(np.array([2, 1]), pad_id=0)
    np.testing.assert_array_equal(batch["input_ids"], [[7, 8], [6, 0]])
    np.testing.assert_array_equal(batch["attention_mask"], [[1, 1], [1, 0]])
    np.testing.assert_array_equal(batch["gold"], [1, 1])


def test_long_texts_are_cut() -> None:
    assert encode(["a b c"], limited(TOKENIZER, 2)).lengths.tolist() == [2]


def test_batches_keep_to_the_budget_and_cover_every_row_once() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 500)
    batches = token_batches(lengths, 100)
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    assert all(len(rows) * lengths[rows].max() <= 100 for rows in batches)


def test_a_folder_that_is_not_complete_is_refused(tmp_path: Path) -> None:
    encode_chunks([Chunk(["a"])], limited(TOKENIZER, 9), tmp_path)
    with pytest.raises(PotstillError, match="potstill preprocess"):
        Encoded.load(tmp_path)


def test_gold_labels_next_to_logits_go_with_their_texts() -> None:
    logits, gold = np.eye(3, dtype=np.float32), np.array([1, NO_LABEL, 0])
    encoded = encode(["a b c", "d", "e f"], limited(TOKENIZER, 9), teacher_logits=logits, gold=gold)
    assert encoded.pad(np.array([2, 0]), pad_id=0)["gold"].tolist() == [0, 1]
    assert encoded.pad(np.array([1, 2]), pad_id=0)["gold"].tolist() == [NO_LABEL, 0]
    assert "gold" not in encode(["a"], limited(TOKENIZER, 9)).pad(np.array([0]), pad_id=0)


@pytest.mark.parametrize("chunks", [[["a b c", "d"], ["e f"]], [["a b c"], ["d", "e f"]], [["a b c", "d", "e f"]]])
def test_chunks_are_encoded_end_to_end(chunks: list[list[str]], tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "encoded", {}) as work:
        encode_chunks([Chunk(texts) for texts in chunks], limited(TOKENIZER, 9), work)
    encoded = Encoded.load(tmp_path / "encoded")
    assert encoded.token_ids.tolist() == [3, 4, 5, 6, 7, 8] and encoded.offsets.tolist() == [0, 3, 4, 6]
    assert encoded.token_types is None and encoded.gold is None and encoded.teacher_logits is None


def test_pairs_in_chunks_keep_their_token_types(tmp_path: Path) -> None:
    pairs = [("a b", "c"), ("d", "e f")]
    with atomic_folder(tmp_path / "encoded", {}) as work:
        encode_chunks([Chunk([pair], np.array([i])) for i, pair in enumerate(pairs)], limited(TOKENIZER, 9), work)
    chunked, whole = Encoded.load(tmp_path / "encoded"), encode(pairs, limited(TOKENIZER, 9))
    assert chunked.token_types is not None and whole.token_types is not None and chunked.gold is not None
    assert chunked.token_types.tolist() == whole.token_types.tolist()
    assert chunked.token_ids.tolist() == whole.token_ids.tolist() and chunked.gold.tolist() == [0, 1]


def test_one_chunk_is_held_at_a_time(tmp_path: Path) -> None:
    held: list[weakref.ref[Chunk]] = []

    def chunks() -> Iterator[Chunk]:
        for _ in range(3):
            chunk = Chunk(["a b c"])
            assert sum(other() is not None for other in held) <= 1
            held.append(weakref.ref(chunk))
            yield chunk
            del chunk

    encode_chunks(chunks(), limited(TOKENIZER, 9), tmp_path)
    assert np.load(tmp_path / "token_ids.npy").tolist() == [3, 4, 5] * 3
