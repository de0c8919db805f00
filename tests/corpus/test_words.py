"""How text becomes words."""

import unicodedata
from typing import Literal

import pytest

from potstill.corpus.words import MASK, as_words, build_tokenizer, count_words, word_splitter


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don't, can't", ["I", "do", "n't", ",", "ca", "n't"]),
        ("do n't it 's", ["do", "n't", "it", "'s"]),
        ("Smith's revenge-of-the-nerds", ["Smith", "'s", "revenge", "-", "of", "-", "the", "-", "nerds"]),
        ("3.5 stars... u.s. Mr. X", ["3.5", "stars", "...", "u.s.", "Mr.", "X"]),
        ("그 영화는 좋다!", ["그", "영화는", "좋다", "!"]),
        ("  ", []),
    ],
)
def test_text_is_split_after_the_treebank(text: str, words: list[str]) -> None:
    assert [word for word, _ in word_splitter().pre_tokenize_str(text)] == words


def test_a_students_tokenizer_knows_its_words_and_the_mask() -> None:
    tokenizer = build_tokenizer(["fine", "film"], lower=True)
    assert tokenizer.encode(f"Fine {MASK} FILM zzz").ids == [3, 2, 4, 1]


def test_counting_leaves_masks_out() -> None:
    assert count_words(["A [MASK] film", "a<mask>film"], lower=True) == {"a": 2, "film": 2}


def test_invisible_characters_are_no_part_of_words() -> None:
    tokenizer = build_tokenizer(["a", "film"], lower=True)
    assert tokenizer.encode("\ufeffA fi\u00adlm\u200b").ids == tokenizer.encode("a film").ids
    assert count_words(["fi\u00adlm"], lower=True) == {"film": 1}


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_word_is_the_same_in_each_form_of_unicode(form: Literal["NFC", "NFD"], lower: bool) -> None:
    text = unicodedata.normalize(form, "Été, 영화 ΣΑΣ J\u030c")
    counts = count_words([text], lower)
    assert counts == count_words([unicodedata.normalize("NFC", text)], lower)
    ids = build_tokenizer(counts, lower).encode(text).ids
    assert len(ids) == 5 and 1 not in ids
    assert as_words(text) == as_words(unicodedata.normalize("NFC", text))
