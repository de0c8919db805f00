"""Typing errors: two letters swapped, one left out, doubled, or a neighbouring key's.

In Korean a letter is a syllable, and a neighbouring key changes one of its two or three sounds.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.texts import Text, map_text
from potstill.corpus.words import MASK, word_splitter

_SPLITTER = word_splitter()
_MISSPELT = 0.2  # of the words of a text with errors
# A word that gets an error has two letters at least, and so many keys: in a shorter one it makes another word.
_SHORTEST = 3
_QWERTY = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
# The Korean keyboard: consonants as a syllable's first sound, its vowels, consonants as its last one.
_DUBEOLSIK = ("ᄇᄌᄃᄀᄉ", "ᄆᄂᄋᄅᄒ", "ᄏᄐᄎᄑ", "ᅭᅧᅣᅢᅦ", "ᅩᅥᅡᅵ", "ᅲᅮᅳ", "ᆸᆽᆮᆨᆺ", "ᆷᆫᆼᆯᇂ", "ᆿᇀᆾᇁ")
_NEIGHBOURS = {
    key: [row[i] for i in (place - 1, place + 1) if 0 <= i < len(row)]
    for row in (*_QWERTY, *_DUBEOLSIK)
    for place, key in enumerate(row)
}


def misspell_some(texts: Sequence[Text], chosen: NDArray[np.bool_], generator: np.random.Generator) -> list[Text]:
    """The texts, or pairs of texts, those that are chosen with an error in every fifth word.

    :param chosen: ``[len(texts)]``.
    """
    return [
        map_text(text, lambda part: misspell(part, _MISSPELT, generator)) if is_chosen else text
        for text, is_chosen in zip(texts, chosen.tolist(), strict=True)
    ]


def misspell(text: str, share: float, generator: np.random.Generator) -> str:
    """A text as a hasty writer types it; mask tokens, numbers and short words stay.

    :param share: of the words that get an error each.
    """
    parts, end, text = [], 0, unicodedata.normalize("NFC", text)
    for word, (start, stop) in _SPLITTER.pre_tokenize_str(text):
        n_keys = sum(len(_keys(letter)) for letter in word)
        if len(word) < 2 or n_keys < _SHORTEST or not word.isalpha() or text[start - 1 : stop + 1] == MASK:
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
    return word[: at + 1] + _mistype(word[at + 1], generator) + word[at + 2 :]


def _mistype(letter: str, generator: np.random.Generator) -> str:
    """A letter with a neighbouring key in the place of its own, or of one of its sounds."""
    keys = list(_keys(letter.lower()))
    places = [place for place, key in enumerate(keys) if key in _NEIGHBOURS]
    if not places:
        return 2 * letter
    place = places[int(generator.integers(len(places)))]
    neighbours = _NEIGHBOURS[keys[place]]
    keys[place] = neighbours[int(generator.integers(len(neighbours)))]
    return unicodedata.normalize("NFC", "".join(keys))


def _keys(letter: str) -> str:
    """What is typed for a letter: itself, or the two or three sounds of a Korean syllable."""
    return unicodedata.normalize("NFD", letter) if "가" <= letter <= "힣" else letter
