"""Labelling in this process."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.artifacts import LEFT_OUT, shards
from potstill.corpus.streams import in_parts
from potstill.corpus.texts import Text
from potstill.corpus.transfer import read_transfer
from potstill.errors import PotstillError
from potstill.labelling.label import Unlabelled, label_texts
from potstill.labelling.local import label_shards
from potstill.progress import Progress, silent
from potstill.teachers.left_out import LeftOut

TEXTS = ["a", "b c", "d e f", "a b", "c"]


class Counting:
    """A stand-in for a teacher: its logits are the number of a text's first letter and its words."""

    def __init__(self, fails_at_call: int = 0) -> None:
        self.labels, self.identity = ["0", "1"], "counting"
        self.calls = 0
        self.left_out: list[LeftOut] = []
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


class Reluctant(Counting):
    """A teacher without an answer to texts of more than two words, and to all of some shards."""

    def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
        logits = super().__call__(texts, progress)
        silent_rows = [row for row, text in enumerate(texts) if len(text.split()) > 2]  # type: ignore[union-attr]
        logits[silent_rows] = np.nan
        self.left_out = [LeftOut(texts[row], "too long: by a word") for row in silent_rows]
        return logits


def test_texts_without_an_answer_are_in_no_shard_and_listed(tmp_path: Path) -> None:
    """The third shard is empty then, and the set is read as if it were not there."""
    unlabelled = Unlabelled(len(TEXTS), lambda: in_parts(TEXTS, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("potstill.labelling.label.PART_ROWS", 1)
        counts = label_texts(unlabelled, Reluctant(), tmp_path)
        transfer = read_transfer(tmp_path)
        assert transfer.texts == ["a", "b c", "a b", "c"] and counts.by_reason == {"too long": 1}
        np.testing.assert_array_equal(transfer.logits, [[3, 1], [4, 2], [3, 2], [5, 1]])
        listed = [json.loads(line) for line in (tmp_path / LEFT_OUT).read_text().splitlines()]
        assert listed == [{"text": "d e f", "reason": "too long: by a word"}]
        again = Reluctant()
        assert label_texts(unlabelled, again, tmp_path) == counts and again.calls == 0


def test_a_set_without_any_answer_is_one_line_and_asked_for_again(tmp_path: Path) -> None:
    texts = ["a b c", "d e f"]
    for _ in range(2):
        teacher = Reluctant()
        with pytest.raises(PotstillError, match="has no answer to any of the 2 texts: 2 too long"):
            label_texts(Unlabelled(2, lambda: in_parts(texts)), teacher, tmp_path)
        assert teacher.calls == 1 and not shards(tmp_path)


def test_a_row_that_is_no_number_in_part_is_an_error_and_no_text_without_an_answer(tmp_path: Path) -> None:
    class Damaged(Counting):
        def __call__(self, texts: Sequence[Text], progress: Progress = silent) -> NDArray[np.float32]:
            logits = super().__call__(texts, progress)
            logits[1, 0] = np.nan
            return logits

    label(TEXTS, Damaged(), tmp_path, 9)
    with pytest.raises(PotstillError, match="row 2 has a logit that is not a finite number"):
        read_transfer(tmp_path)
