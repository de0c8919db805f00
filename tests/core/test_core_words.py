"""The core's tokens are those of tokenizer.json. benchmarks/core_words.py does the same on a million lines."""

from pathlib import Path

import pytest

from core_words import KINDS, differences, every_character, fuzzed, make_tokenizer, open_in_core
from standins import sentences

pytest.importorskip("potstill_core")


@pytest.mark.parametrize("kind", KINDS)
def test_made_up_texts_have_the_same_tokens(kind: str) -> None:
    texts = [*fuzzed(4000, seed=1), *(text for text, _ in sentences(200, seed=2))]
    assert next(differences(kind, texts, 3000), None) is None


@pytest.mark.parametrize("kind", ["lower", "characters"])
def test_every_character_has_the_same_tokens(kind: str) -> None:
    assert next(differences(kind, list(every_character()), 60_000), None) is None


def test_a_text_without_words_is_one_unknown_word(tmp_path: Path) -> None:
    core = open_in_core(make_tokenizer("lower", ["a b"], 10), False, tmp_path)
    assert [core.encode(text) for text in ("", " \n", "\u00ad\u200b", "never seen")] == [[1], [1], [1], [1, 1]]


@pytest.mark.parametrize("kind", KINDS)
def test_long_texts_have_the_same_tokens(kind: str) -> None:
    texts = [
        "".join(fuzzed(3000, seed=3)),
        "a" * 5000,
        "e" + "\u0301\u0323" * 3000,
        "'" * 2000,
        "[" * 999 + "[MASK]" * 99,
    ]
    assert next(differences(kind, texts, 500), None) is None
