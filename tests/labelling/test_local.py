"""Labelling in this process."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.artifacts import shards
from potstill.corpus.encoded import Text
from potstill.corpus.streams import in_parts
from potstill.corpus.transfer import read_transfer
from potstill.errors import PotstillError
from potstill.labelling.local import label_shards
from potstill.progress import Progress, silent

TEXTS = ["a", "b c", "d e f", "a b", "c"]


class Counting:
    """A stand-in for a teacher: its logits are the number of a text's first letter and its words."""

    def __init__(self, fails_at_call: int = 0) -> None:
        self.labels, self.identity = ["0", "1"], "counting"
        self.calls = 0
        self._fails_at_call = fails_at_call

    def check(self, texts: Sequence[Text]) -> None:
        pass

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        self.calls += 1
        if self.calls == self._fails_at_call:
            raise KeyboardInterrupt
        with progress("labelling", len(texts)) as bar:
            bar.update(len(texts))
        firsts = [text if isinstance(text, str) else text[0] for text in texts]
        return np.array([(ord(text[0]) - ord("a") + 3, len(text.split())) for text in firsts], dtype=np.float32)


def label(texts: Sequence[Text], teacher: Counting, folder: Path, shard_rows: int) -> int:
    shards = list(in_parts(texts, shard_rows))
    return label_shards(shards, teacher, folder, n_shards=len(shards))


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


def test_an_error_of_the_teacher_is_raised_here_and_finished_shards_stay(tmp_path: Path) -> None:
    class Failing(Counting):
        def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
            if "d e f" in texts:
                raise PotstillError("no")
            return super().__call__(texts, progress)

    with pytest.raises(PotstillError, match="no"):
        label(TEXTS, Failing(), tmp_path, 1)
    assert len(shards(tmp_path)) == 2


def test_pairs_keep_both_texts(tmp_path: Path) -> None:
    import pyarrow.parquet

    pairs = [(text, "b") for text in TEXTS]
    label(pairs, Counting(), tmp_path, 9)
    table = pyarrow.parquet.read_table(tmp_path / "part-00000.parquet")
    assert table["text"].to_pylist() == TEXTS and table["text_pair"].to_pylist() == ["b"] * 5
