"""Text as characters."""

import unicodedata

import pytest
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from potstill.corpus.characters import build_character_tokenizer, frequent_characters, reads_characters
from potstill.corpus.words import MASK, UNK, build_tokenizer

TOKENIZER = build_character_tokenizer("abc가각.", lower=True)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("ab c", "▁ab▁c▁"),
        ("  A \t\n b\u3000", "▁a▁b▁"),
        ("a.b", "▁a.b▁"),
        ("가각", "▁가각▁"),
        (unicodedata.normalize("NFD", "가각"), "▁가각▁"),
        ("", "▁"),
    ],
)
def test_a_text_is_its_characters_and_its_words_have_a_space_on_both_sides(text: str, tokens: str) -> None:
    assert TOKENIZER.encode(text).tokens == list(tokens)


def test_a_mask_is_one_token_and_a_character_that_is_not_known_is_unknown() -> None:
    assert TOKENIZER.encode(f"a {MASK} bz").tokens == ["▁", "a", MASK, "▁", "b", UNK, "▁"]


def test_upper_case_is_distinguished_with_that_option() -> None:
    assert build_character_tokenizer("aA", lower=False).encode("Aa").tokens == ["▁", "A", "a", "▁"]


def test_a_text_that_is_cut_still_ends() -> None:
    tokenizer = build_character_tokenizer("abc", lower=True)
    tokenizer.enable_truncation(4)
    assert tokenizer.encode("abcabc").tokens == ["▁", "a", "b", "▁"]


def test_the_most_frequent_characters_come_first_and_no_masks_or_spaces() -> None:
    assert frequent_characters(["bab A", f"{MASK} b <mask>c"], lower=True) == ["b", "a", "c"]
    assert frequent_characters(["bab A"], lower=False) == ["b", "a", "A"]
    assert frequent_characters([unicodedata.normalize("NFD", "각")], lower=True) == ["각"]


def test_only_a_tokenizer_of_characters_is_recognised() -> None:
    tokenizer = Tokenizer.from_str(TOKENIZER.to_str())
    assert reads_characters(tokenizer)
    tokenizer.post_processor = TemplateProcessing(single="$A $A")
    assert not reads_characters(tokenizer)
    assert not reads_characters(build_tokenizer(["a"], lower=True))
