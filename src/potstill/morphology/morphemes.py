"""The words of a text that is split into morphemes: the form which students read."""

import re
from collections.abc import Sequence

from potstill.corpus.analysis import Token, fill_gaps, split_words
from potstill.corpus.words import MASK

_MASK = re.compile(re.escape(MASK))


def as_morphemes(text: str, tokens: Sequence[Token]) -> list[Token]:
    """A text's morphemes as words that its tokenizer does not split further.

    :param tokens: an analyzer's, of the text.
    :return: tokens of one word each; where a morpheme is several words (``http://``), they have no tag.
    """
    words: list[Token] = []
    for token in fill_gaps(text, keep_masks(text, tokens)):
        parts = [token] if token.form == MASK else split_words(token.form)
        tag = token.tag if [part.form for part in parts] == [token.form] else ""
        words += [Token(part.form, tag, token.start, token.end) for part in parts]
    return words


def keep_masks(text: str, tokens: Sequence[Token]) -> Sequence[Token]:
    """The tokens with each mask token whole, which an analyzer takes for a word in brackets."""
    if MASK not in text:
        return tokens
    masks = [Token(MASK, "", *match.span()) for match in _MASK.finditer(text)]
    others = [token for token in tokens if not any(mask.start < token.end and token.start < mask.end for mask in masks)]
    return sorted([*others, *masks], key=lambda token: token.start)
