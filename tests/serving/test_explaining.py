"""Leave-one-out: which texts are asked, and what the answers make of the words."""

import numpy as np
import pytest

from potstill.serving.explaining import leave_one_out, word_weights, words_of


def test_words_stand_where_they_are_in_characters_whatever_their_bytes() -> None:
    text = "It's 좋은 😀 film!"
    words = words_of(text)
    assert [word.word for word in words] == ["It", "'s", "좋은", "😀", "film", "!"]
    assert all(text[word.start : word.end] == word.word for word in words)


def test_each_word_is_left_out_once() -> None:
    text = "a b a"
    assert leave_one_out(text, words_of(text)) == [" b a", "a  a", "a b "]


def test_a_lone_word_cannot_be_left_out() -> None:
    assert leave_one_out("fine", words_of("fine")) == []


def test_no_text_without_a_word_is_empty_to_a_model() -> None:
    text = "fine \x1c"  # white space to Python, a sign to the splitter
    assert [word.word for word in words_of(text)] == ["fine"]


def test_a_weight_is_the_fall_of_the_probability_of_the_label_that_the_text_gets() -> None:
    whole = np.array([0.2, 0.8], dtype=np.float32)
    without = np.array([[0.7, 0.3], [0.1, 0.9]], dtype=np.float32)
    assert word_weights(whole, without) == pytest.approx([0.5, -0.1])
