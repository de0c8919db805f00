"""Splits raw text into characters, for a student that reads them: the ``tokenizer.json`` that does so."""

from collections import Counter
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer
from tokenizers.pre_tokenizers import Metaspace, Split, WhitespaceSplit
from tokenizers.pre_tokenizers import Sequence as PreTokenizers
from tokenizers.processors import TemplateProcessing

from potstill.corpus.words import (
    MASK,
    N_SPECIAL,
    build_tokenizer,
    is_students_normalizer,
    text_normalizer,
    unify_masks,
)

SPACE, SPACE_ID = "▁", N_SPECIAL  # white space of any length, and both ends of a text


def build_character_tokenizer(characters: Iterable[str], lower: bool) -> Tokenizer:
    """The tokenizer of a student that reads characters, which needs no analyzer.

    Each character is a token, and so is the space between words. A space is also put before the first word and after
    the last one, so that an n-gram shows where a word begins and ends. A Hangul syllable is one character, composed or
    decomposed.

    :param characters: the vocabulary in id order, from the id after that of :data:`SPACE` on.
    :param lower: whether text is lower-cased first; the characters must then be lower-case too.
    """
    tokenizer = build_tokenizer([SPACE, *characters], lower)
    spaced = Metaspace(replacement=SPACE, prepend_scheme="always", split=False)
    tokenizer.pre_tokenizer = PreTokenizers([WhitespaceSplit(), spaced, Split(Regex("."), behavior="isolated")])
    tokenizer.post_processor = TemplateProcessing(single=f"$A {SPACE}", special_tokens=[(SPACE, SPACE_ID)])
    return tokenizer


def reads_characters(tokenizer: Tokenizer) -> bool:
    """Whether :func:`build_character_tokenizer` made a tokenizer."""
    own = build_character_tokenizer([], lower=True)
    return is_students_normalizer(tokenizer.normalizer) and _splitting(tokenizer) == _splitting(own)


def _splitting(tokenizer: Tokenizer) -> list[bytes]:
    """What a tokenizer does to a normalized text, without its vocabulary."""
    return [getattr(part, "__getstate__", bytes)() for part in (tokenizer.pre_tokenizer, tokenizer.post_processor)]


def frequent_characters(texts: Iterable[str], lower: bool) -> list[str]:
    """The characters of texts, the most frequent ones first; mask tokens are left out."""
    normalizer, counts = text_normalizer(lower), Counter[str]()
    for text in texts:
        counts.update(normalizer.normalize_str(unify_masks(text).replace(MASK, " ")))
    return [character for character, _ in counts.most_common() if not character.isspace()]
