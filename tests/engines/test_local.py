"""Labelling in this process."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.artifacts import shards
from potstill.corpus.encoded import Encoded, encode, limited
from potstill.corpus.transfer import read_transfer
from potstill.corpus.words import build_tokenizer
from potstill.engines.local import label_shards
from potstill.progress import Progress

TEXTS = ["a", "b c", "d e f", "a b", "c"]
ENCODED = encode(TEXTS, limited(build_tokenizer("abcdef", lower=True), 9))


class Counting:
    """A stand-in for a teacher: its logits are a text's first token and its length."""

    def __init__(self, fails_at_call: int = 0) -> None:
        self.calls = 0
        self._fails_at_call = fails_at_call

    def __call__(self, part: Encoded, progress: Progress) -> NDArray[np.float32]:
        self.calls += 1
        if self.calls == self._fails_at_call:
            raise KeyboardInterrupt
        with progress("labelling", len(part)) as bar:
            bar.update(len(part))
        return np.stack([part.token_ids[part.offsets[:-1]], part.lengths], axis=1).astype(np.float32)


def test_each_text_gets_its_own_logits_whatever_the_shards(tmp_path: Path) -> None:
    for shard_rows, n_shards in ((1, 5), (2, 3), (5, 1), (9, 1)):
        folder = tmp_path / str(shard_rows)
        assert label_shards(TEXTS, ENCODED, Counting(), folder, shard_rows=shard_rows) == n_shards
        transfer = read_transfer(folder)
        assert transfer.texts == TEXTS
        np.testing.assert_array_equal(transfer.logits, [[3, 1], [4, 2], [6, 3], [3, 2], [5, 1]])


def test_stopped_and_called_again_it_makes_the_missing_shards_alone(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        label_shards(TEXTS, ENCODED, Counting(fails_at_call=3), tmp_path, shard_rows=2)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".parquet"] == []
    before = {path: path.stat().st_mtime_ns for path in shards(tmp_path)}
    assert len(before) == 2
    again = Counting()
    assert label_shards(TEXTS, ENCODED, again, tmp_path, shard_rows=2) == again.calls == 1
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert read_transfer(tmp_path).texts == TEXTS


def test_nothing_is_labelled_twice(tmp_path: Path) -> None:
    label_shards(TEXTS, ENCODED, Counting(), tmp_path, shard_rows=2)
    again = Counting()
    assert label_shards(TEXTS, ENCODED, again, tmp_path, shard_rows=2) == again.calls == 0


def test_pairs_keep_both_texts(tmp_path: Path) -> None:
    import pyarrow.parquet

    pairs = [(text, "b") for text in TEXTS]
    label_shards(pairs, ENCODED, Counting(), tmp_path)
    table = pyarrow.parquet.read_table(tmp_path / "part-00000.parquet")
    assert table["text"].to_pylist() == TEXTS and table["text_pair"].to_pylist() == ["b"] * 5
