"""The word encoder gives the ids that the tokenizer gives, whatever the text."""

import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import NFKC, Lowercase
from tokenizers.pre_tokenizers import Whitespace

from potstill.corpus.characters import build_character_tokenizer
from potstill.corpus.words import build_tokenizer
from potstill.runtime import word_encoder
from potstill.runtime.word_encoder import WordEncoder, splits_at_spaces

WORDS = ["a", "b", "do", "n't", "it", "'s", "film", "u", ".", "1,000", "straße", "영화", "ab", "été"]
TEXTS = [
    "a b",
    "  a   b  ",
    "Don't! It's a FILM.",
    "u.s. and mr. b",
    "1,000 1 , 000 ...",
    "a[MASK]b [MASK] [ MASK ] [mask]",
    "a\tb\nab\u00a0ab\u2003b\x1cb",
    "STRASSE Straße İi ΣΑΣ ς",
    "영화 👍🏽 e\u0301te",
    unicodedata.normalize("NFD", "Été été 영화 \u1100 \u1161 a \u0301b \u01f0 J\u030c"),
    "x" * 100 + " " + "a" * 41,
    "Films doon abb dob uns b##o ##o",
    "a\u00adb a\u200bb \u200b \ufeffab e\u200b\u0301",
]


def of_words(lower: bool) -> Tokenizer:
    return build_tokenizer(WORDS, lower)


def of_characters(lower: bool) -> Tokenizer:
    return build_character_tokenizer("abAnt's.,[MASK]1İ영각é", lower)  # capitals that lower never gives too


def of_pieces(lower: bool) -> Tokenizer:
    return build_tokenizer([*WORDS, *"bdou", "##o", "##n", "##b", "fi", "##lms"], lower)


def of_parts(lower: bool) -> Tokenizer:
    """As students were that did not compose characters."""
    tokenizer = of_words(lower)
    tokenizer.normalizer = Lowercase() if lower else None
    return tokenizer


KINDS = [of_words, of_characters, of_pieces, of_parts]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_it_gives_the_tokenizers_ids_first_and_again(text: str, lower: bool, kind: Callable[[bool], Tokenizer]) -> None:
    tokenizer = kind(lower)
    encoder = WordEncoder(tokenizer)
    for _ in range(2):
        assert encoder(text) == tokenizer.encode(text).ids


@pytest.mark.parametrize("kind", KINDS)
def test_random_characters_too(kind: Callable[[bool], Tokenizer]) -> None:
    tokenizer = kind(True)
    encoder = WordEncoder(tokenizer)
    generator = np.random.default_rng(0)
    alphabet = [*"abnt's.,- [MASK]1İΣ영각▁\t\u00a0\u200b\u0301", "[MASK]"]
    for _ in range(500):
        text = "".join(generator.choice(alphabet, 20))
        assert encoder(text) == tokenizer.encode(text).ids, repr(text)


def test_the_number_of_remembered_words_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_encoder, "_REMEMBERED", 3)
    tokenizer = build_tokenizer(WORDS, lower=True)
    encoder = WordEncoder(tokenizer)
    text = " ".join([*WORDS, "a" * 50])
    assert encoder(text) == encoder(text) == tokenizer.encode(text).ids
    assert len(encoder._known) == 3


def test_many_threads_at_once_get_the_same_ids() -> None:
    tokenizer = build_tokenizer(WORDS, lower=True)
    encoder = WordEncoder(tokenizer)
    texts = TEXTS * 50
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(encoder, texts)) == [tokenizer.encode(text).ids for text in texts]


def test_only_a_students_own_tokenizer_splits_at_spaces() -> None:
    assert splits_at_spaces(build_tokenizer(WORDS, lower=True))
    assert splits_at_spaces(of_parts(lower=True)) and splits_at_spaces(of_parts(lower=False))
    assert splits_at_spaces(Tokenizer.from_str(build_tokenizer(WORDS, lower=False).to_str()))
    other = Tokenizer(WordLevel({"a": 0}, unk_token="a"))
    assert not splits_at_spaces(other)
    other.pre_tokenizer = Whitespace()
    assert not splits_at_spaces(other)
    marked = build_tokenizer(WORDS, lower=True)
    marked.add_special_tokens(["film"])
    assert not splits_at_spaces(marked)
    folded = build_tokenizer(WORDS, lower=True)
    folded.normalizer = NFKC()
    assert not splits_at_spaces(folded)
