"""Labelling in this process."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.artifacts import shards
from potstill.corpus.encoded import Encoded, Text, encode, limited
from potstill.corpus.streams import in_parts
from potstill.corpus.transfer import read_transfer
from potstill.corpus.words import build_tokenizer
from potstill.errors import PotstillError
from potstill.labelling.local import Predict, label_shards
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


def label(texts: Sequence[Text], predict: Predict, folder: Path, shard_rows: int) -> int:
    shards = list(in_parts(texts, shard_rows))
    encode = lambda start, part: ENCODED.rows(start, start + len(part))  # noqa: E731
    return label_shards(shards, encode, predict, folder, n_shards=len(shards))


def test_each_text_gets_its_own_logits_whatever_the_shards(tmp_path: Path) -> None:
    for shard_rows, n_shards in ((1, 5), (2, 3), (5, 1), (9, 1)):
        folder = tmp_path / str(shard_rows)
        assert label(TEXTS, Counting(), folder, shard_rows) == n_shards
        transfer = read_transfer(folder)
        assert transfer.texts == TEXTS
        np.testing.assert_array_equal(transfer.logits, [[3, 1], [4, 2], [6, 3], [3, 2], [5, 1]])


def test_stopped_and_called_again_it_makes_the_missing_shards_alone(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        label(TEXTS, Counting(fails_at_call=3), tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".parquet"] == []
    before = {path: path.stat().st_mtime_ns for path in shards(tmp_path)}
    assert len(before) == 2
    again = Counting()
    assert label(TEXTS, again, tmp_path, 2) == again.calls == 1
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert read_transfer(tmp_path).texts == TEXTS


def test_nothing_is_labelled_twice(tmp_path: Path) -> None:
    label(TEXTS, Counting(), tmp_path, 2)
    again = Counting()
    assert label(TEXTS, again, tmp_path, 2) == again.calls == 0


def test_the_next_shard_is_encoded_while_the_model_is_at_work_and_no_more(tmp_path: Path) -> None:
    encoded: list[int] = []
    under_way = threading.Event()

    def encode(start: int, texts: Sequence[Text]) -> Encoded:
        encoded.append(start)
        if start == 1:
            under_way.set()
        return ENCODED.rows(start, start + len(texts))

    def predict(part: Encoded, progress: Progress) -> NDArray[np.float32]:
        assert under_way.wait(60), "the second shard is encoded before the first is labelled"
        n_labelled = len(shards(tmp_path))
        assert len(encoded) <= n_labelled + 2
        return np.zeros((len(part), 2), dtype=np.float32)

    assert label_shards(in_parts(TEXTS, 1), encode, predict, tmp_path, n_shards=5) == 5
    assert encoded == [0, 1, 2, 3, 4]


def test_what_fails_in_the_encoder_is_raised_here(tmp_path: Path) -> None:
    def encode(start: int, texts: Sequence[Text]) -> Encoded:
        raise PotstillError("no")

    with pytest.raises(PotstillError, match="no"):
        label_shards([TEXTS], encode, Counting(), tmp_path, n_shards=1)


def test_pairs_keep_both_texts(tmp_path: Path) -> None:
    import pyarrow.parquet

    pairs = [(text, "b") for text in TEXTS]
    label(pairs, Counting(), tmp_path, 9)
    table = pyarrow.parquet.read_table(tmp_path / "part-00000.parquet")
    assert table["text"].to_pylist() == TEXTS and table["text_pair"].to_pylist() == ["b"] * 5
