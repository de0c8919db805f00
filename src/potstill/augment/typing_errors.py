"""Typing errors: two letters swapped, one left out, doubled, or a neighbouring key's."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.words import MASK, word_splitter

_SPLITTER = word_splitter()
_MISSPELT = 0.2  # of the words of a text with errors
_SHORTEST = 3  # letters of a word that gets an error: in a shorter one it makes another word
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    key: [row[i] for i in (place - 1, place + 1) if 0 <= i < len(row)] for row in _ROWS for place, key in enumerate(row)
}


def misspell_some(texts: Sequence[str], chosen: NDArray[np.bool_], generator: np.random.Generator) -> list[str]:
    """The texts, those that are chosen with an error in every fifth word.

    :param chosen: ``[len(texts)]``.
    """
    return [
        misspell(text, _MISSPELT, generator) if is_chosen else text
        for text, is_chosen in zip(texts, chosen.tolist(), strict=True)
    ]


def misspell(text: str, share: float, generator: np.random.Generator) -> str:
    """A text as a hasty writer types it; mask tokens, numbers and short words stay.

    :param share: of the words that get an error each.
    """
    parts, end = [], 0
    for word, (start, stop) in _SPLITTER.pre_tokenize_str(text):
        if len(word) < _SHORTEST or not word.isalpha() or text[start - 1 : stop + 1] == MASK:
            continue
        if generator.random() < share:
            parts += [text[end:start], _change(word, generator)]
            end = stop
    return "".join([*parts, text[end:]])


def _change(word: str, generator: np.random.Generator) -> str:
    kind, at = generator.integers(4), int(generator.integers(len(word) - 1))
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[: at + 1] + word[at + 2 :]
    if kind == 2:
        return word[: at + 1] + word[at:]
    neighbours = _NEIGHBOURS.get(word[at + 1].lower()) or [word[at]]
    return word[: at + 1] + neighbours[int(generator.integers(len(neighbours)))] + word[at + 2 :]
