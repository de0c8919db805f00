"""Leave-one-out explanations: each word is left out in turn, and the label's probability compared. Pure functions.

The method needs only a model's probabilities, so that teacher and student are explained alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.texts import Text
from potstill.runtime.core_graph import word_spans

MAX_WORDS = 200  # each costs a prediction


@dataclass(frozen=True)
class Word:
    """A word of a text and its position, in characters."""

    word: str
    start: int
    end: int


def split_words(text: str) -> list[Word]:
    """The words of a text, split as a student splits them."""
    spans = word_spans(text)
    return [Word(text[start:end], start, end) for start, end in spans if text[start:end].strip()]


def leave_one_out(text: str, words: list[Word]) -> list[str]:
    """The text without each of its words in turn; none for a text of one word, which would leave nothing."""
    if len(words) < 2:
        return []
    return [text[: word.start] + text[word.end :] for word in words]


def leave_one_out_of(text: Text, words: list[list[Word]]) -> list[list[Text]]:
    """The text without each of its words in turn; of a pair, beside the other text as it is.

    :param words: those of the text; of a pair those of each of the two.
    :return: as many lists as ``words`` has.
    """
    if isinstance(text, str):
        return [[*leave_one_out(text, words[0])]]
    first, second = text
    return [
        [(without, second) for without in leave_one_out(first, words[0])],
        [(first, without) for without in leave_one_out(second, words[1])],
    ]


def word_weights(whole: NDArray[np.float32], without: Iterable[NDArray[np.float32]]) -> list[float]:
    """What each word adds to the probability of the label that is likeliest for the whole text.

    :param whole: the whole text's probabilities, float32 ``[n_labels]``.
    :param without: those of the text without each word, each float32 ``[n_labels]``.
    :return: positive for a word that speaks for the label, negative for one against it.
    """
    label = int(whole.argmax())
    return [float(whole[label] - row[label]) for row in without]
