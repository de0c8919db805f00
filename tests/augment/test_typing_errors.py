"""Typing errors."""

import unicodedata

import numpy as np

from potstill.augment.typing_errors import misspell

TEXT = "The film [MASK] is wonderful, moving and 1,000 times better than it has to be."


def test_only_letters_of_longer_words_change_and_the_rest_stays_where_it_is() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        changed = misspell(TEXT, 1.0, generator)
        assert changed != TEXT
        assert " [MASK] is " in changed and ", " in changed and " 1,000 " in changed and changed.endswith("be.")
        assert len(changed.split()) == len(TEXT.split())


def test_the_share_says_how_many_words_change() -> None:
    generator = np.random.default_rng(0)
    text = " ".join(["wonderful"] * 2000)
    changed = misspell(text, 0.2, generator).split()
    assert 300 < sum(word != "wonderful" for word in changed) < 500
    assert misspell(text, 0.0, generator) == text


def test_each_error_is_one_letter_off() -> None:
    generator = np.random.default_rng(0)
    made = {misspell("wonderful", 1.0, generator) for _ in range(500)}
    assert {len(word) for word in made} == {8, 9, 10}
    assert {"owndewrful", "ownderful"} & made == {"ownderful"}  # swapped neighbours; never two errors
    assert "wonfderful" not in made


def test_in_korean_a_syllable_or_one_of_its_sounds_is_off() -> None:
    generator = np.random.default_rng(0)
    made = {misspell("영화", 1.0, generator) for _ in range(500)}
    assert {"화영", "영", "영영화"} <= made  # swapped, left out, doubled
    changed = {word[1] for word in made if len(word) == 2 and word[0] == "영" and word[1] not in "영화"}
    assert {"롸"} <= changed and all(unicodedata.is_normalized("NFC", syllable) for syllable in changed)
    assert misspell("는 a 좋 is", 1.0, generator) == "는 a 좋 is"  # a syllable alone is too short


def test_letters_without_neighbours_and_decomposed_text_get_errors_too() -> None:
    generator = np.random.default_rng(0)
    assert misspell("là né", 1.0, generator) == "là né"  # an accent is no key of its own
    assert all(misspell("фильм", 1.0, generator) != "фильм" for _ in range(20) if _)
    decomposed = unicodedata.normalize("NFD", "영화는 정말")
    made = {misspell(decomposed, 1.0, generator) for _ in range(100)}
    assert all(unicodedata.is_normalized("NFC", text) and len(text) <= 8 for text in made)
