"""What students learn: how often train's own texts, and which texts with typing errors."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.corpus.encoded import Encoded
from potstill.corpus.splits import load_corpus
from potstill.corpus.transfer import read_transfer
from potstill.distillation.prepared import word_text_stage
from potstill.runs.contents import read_split
from potstill.runs.job import Job
from small_runs import small_run


@pytest.fixture
def learnt(finished: Path, tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path) -> Any:
    """Makes the encoded transfer set again with other options, from the finished run's transfer set."""

    def make(**changes: Any) -> Encoded:
        options = small_run(tiny_data, tiny_encoder, tiny_vectors, finished, **changes)
        work = tmp_path / str(len(list(tmp_path.iterdir())))
        work.mkdir()
        word_text_stage(job := Job(options, load_corpus(options.data, 42))).build(job, work)
        return Encoded.load(work / "transfer")

    return make


def count_texts(encoded: Encoded) -> Counter[tuple[int, ...]]:
    ends = encoded.offsets.tolist()
    return Counter(tuple(encoded.token_ids[start:end].tolist()) for start, end in pairwise(ends))


def test_trains_own_texts_are_learnt_more_often(finished: Path, learnt: Any) -> None:
    n_texts = len(read_transfer(finished / "transfer").texts)
    n_own = len({example.text for example in read_split(finished, "train")})
    once = learnt(own_share=0.0, typing_errors=0.0)
    assert len(once) == n_texts and set(count_texts(once).values()) == {1}
    half = learnt(own_share=0.5, typing_errors=0.0)
    copies = round((n_texts - n_own) / n_own)
    assert copies > 1 and len(half) == n_texts + (copies - 1) * n_own
    own = np.flatnonzero(half.gold >= 0)
    assert len(own) == copies * n_own  # those with a gold label are those that are there several times
    assert sorted(set(count_texts(half).values())) == [1, copies]


def test_there_are_at_most_ten_copies(finished: Path, learnt: Any) -> None:
    n_own = len({example.text for example in read_split(finished, "train")})
    encoded = learnt(own_share=0.99, typing_errors=0.0)
    assert (encoded.gold >= 0).sum() == 10 * n_own


def test_only_new_texts_get_typing_errors_and_keep_their_logits(learnt: Any) -> None:
    clean, typed = learnt(own_share=0.0, typing_errors=0.0), learnt(own_share=0.0, typing_errors=1.0)
    assert np.array_equal(clean.teacher_logits, typed.teacher_logits)
    own = clean.gold >= 0
    same = [
        np.array_equal(
            clean.token_ids[clean.offsets[row] : clean.offsets[row + 1]],
            typed.token_ids[typed.offsets[row] : typed.offsets[row + 1]],
        )
        for row in range(len(clean))
    ]
    assert all(np.array(same)[own])
    assert np.mean(np.array(same)[~own]) < 0.5
