"""Word vectors from a teacher."""

import numpy as np
import pytest
from numpy.typing import NDArray

from potstill.errors import PotstillError
from potstill.teachers.checkpoints import Checkpoint, TextForm, open_encoder
from potstill.teachers.word_vectors import TeacherVectors

WORDS = ["film", "story", "plot", "cast", "fine", "dull", "doesn't", "ending", ",", "2,000", "日本", "a" * 200, "film"]
HIDDEN = 32


@pytest.fixture(params=["tiny_encoder", "tiny_roberta", "tiny_electra"])
def teacher(request: pytest.FixtureRequest) -> Checkpoint:
    """A random classifier: a stand-in for a fine-tuned teacher."""
    name = str(request.getfixturevalue(request.param))
    return open_encoder(name, ["no", "yes"], dropout=0.1, form=TextForm(), seed=1)


def look_up(teacher: Checkpoint, words: list[str], width: int) -> NDArray[np.float32]:
    return TeacherVectors(teacher, width).look_up(words, np.random.default_rng(0))


def test_every_word_has_a_finite_vector_of_the_width_that_was_asked_for(teacher: Checkpoint) -> None:
    vectors = TeacherVectors(teacher, 8)
    rows = vectors.look_up(WORDS, np.random.default_rng(0))
    assert vectors.width == 8
    assert rows.shape == (len(WORDS), 8) and rows.dtype == np.float32
    assert np.isfinite(rows).all()


def test_the_vectors_are_centred_and_of_the_size_of_gloves(teacher: Checkpoint) -> None:
    rows = look_up(teacher, WORDS, 8)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-5)
    assert rows.std() == pytest.approx(0.4, rel=1e-4)


def test_the_axes_come_in_the_order_of_their_variance_and_are_not_correlated(teacher: Checkpoint) -> None:
    rows = look_up(teacher, WORDS, 8)
    covariance = rows.T @ rows / len(rows)
    variances = np.diag(covariance)
    assert (np.diff(variances) <= 1e-6).all()
    np.testing.assert_allclose(covariance - np.diag(variances), 0, atol=1e-4)


def test_the_same_words_have_the_same_vectors(teacher: Checkpoint) -> None:
    first, second = look_up(teacher, WORDS, 8), look_up(teacher, WORDS, 8)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first[WORDS.index("film")], first[-1], atol=1e-5)
    assert np.abs(first[WORDS.index("film")] - first[WORDS.index("dull")]).max() > 1e-3


def test_fewer_words_than_numbers_are_no_harm(teacher: Checkpoint) -> None:
    rows = look_up(teacher, ["film", "dull"], 8)
    assert rows.shape == (2, 8) and np.isfinite(rows).all()
    assert np.isfinite(look_up(teacher, ["film"], 8)).all()


def test_all_of_the_teachers_numbers_can_be_had(teacher: Checkpoint) -> None:
    assert look_up(teacher, WORDS, HIDDEN).shape == (len(WORDS), HIDDEN)


def test_more_numbers_than_the_teachers_vectors_have_are_refused(teacher: Checkpoint) -> None:
    with pytest.raises(PotstillError, match="the teacher's vectors have 32 numbers at most") as raised:
        look_up(teacher, WORDS, HIDDEN + 1)
    assert "\n" not in str(raised.value)


def test_the_frequent_words_are_whole_words_of_the_teachers_vocabulary(teacher: Checkpoint) -> None:
    words = TeacherVectors(teacher, 8).frequent_words(500)
    assert {"film", "the", "critics"} <= set(words)
    assert all(word.isalpha() for word in words)
    assert TeacherVectors(teacher, 8).frequent_words(3) == words[:3]
