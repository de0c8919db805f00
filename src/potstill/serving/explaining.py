"""Leave-one-out explanations: each word is left out in turn, and the label's probability compared. Pure functions.

The method needs only a model's probabilities, so that teacher and student are explained alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.words import word_splitter

MAX_WORDS = 200  # each costs a prediction


@dataclass(frozen=True)
class Word:
    """A word of a text and its position, in characters."""

    word: str
    start: int
    end: int


def split_words(text: str) -> list[Word]:
    """The words of a text, split as a student splits them."""
    spans = word_splitter().pre_tokenize_str(text)
    return [Word(word, start, end) for word, (start, end) in spans if word.strip()]


def leave_one_out(text: str, words: list[Word]) -> list[str]:
    """The text without each of its words in turn; none for a text of one word, which would leave nothing."""
    if len(words) < 2:
        return []
    return [text[: word.start] + text[word.end :] for word in words]


def word_weights(whole: NDArray[np.float32], without: NDArray[np.float32]) -> list[float]:
    """What each word adds to the probability of the label that is likeliest for the whole text.

    :param whole: the whole text's probabilities, float32 ``[n_labels]``.
    :param without: those of the text without each word, float32 ``[n_words, n_labels]``.
    :return: positive for a word that speaks for the label, negative for one against it.
    """
    label = int(whole.argmax())
    return [float(whole[label] - row[label]) for row in without]
