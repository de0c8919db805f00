"""Leave-one-out: the texts without a word, and the words' weights."""

import numpy as np
import pytest

from potstill.serving.explaining import leave_one_out, split_words, word_weights


def test_positions_of_words_count_characters_not_bytes() -> None:
    text = "It's 좋은 😀 film!"
    words = split_words(text)
    assert [word.word for word in words] == ["It", "'s", "좋은", "😀", "film", "!"]
    assert all(text[word.start : word.end] == word.word for word in words)


def test_each_word_is_left_out_once() -> None:
    text = "a b a"
    assert leave_one_out(text, split_words(text)) == [" b a", "a  a", "a b "]


def test_a_single_word_cannot_be_left_out() -> None:
    assert leave_one_out("fine", split_words("fine")) == []


def test_no_text_without_a_word_is_empty_to_a_model() -> None:
    text = "fine \x1c"  # white space to Python, a sign to the splitter
    assert [word.word for word in split_words(text)] == ["fine"]


def test_a_weight_is_the_fall_of_the_probability_of_the_label_that_the_text_gets() -> None:
    whole = np.array([0.2, 0.8], dtype=np.float32)
    without = np.array([[0.7, 0.3], [0.1, 0.9]], dtype=np.float32)
    assert word_weights(whole, without) == pytest.approx([0.5, -0.1])
