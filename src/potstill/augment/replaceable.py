"""A text as augmentation sees it: words that may be replaced, and how the text is put back together."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from potstill.corpus.analysis import Analyzer, Token, fill_gaps
from potstill.morphology.morphemes import as_morphemes, keep_masks

Form = Literal["natural", "split"]


@dataclass(frozen=True)
class ReplaceableText:
    """The words of one text.

    :param words: what is masked, replaced and put back.
    :param keys: what may replace each: words of the same key; nothing where it is ``""``.
    :param spaces: whether white space follows the word; the text is put back together by it.
    :param agglutinative: whether a changed word stays as close to its neighbours as the word was; else it is set apart.
    """

    words: list[str]
    keys: list[str]
    spaces: list[bool]
    agglutinative: bool = False


def make_replaceable(text: str, tokens: Sequence[Token], form: Form, analyzer: Analyzer) -> ReplaceableText:
    """Turn an analyzer's tokens into words that augmentation may change.

    :param text: as the analyzer normalizes it.
    :param form: ``natural`` keeps the text's spacing, and a word is as it is written in the text (``했``); ``split``
        divides the forms of the tokens (``하``, ``았``) by spaces.
    :param analyzer: the one that gave the tokens: it says which words may replace which.
    """
    # Some analyzers have tokens of white space: MeCab-ko every space but the usual one.
    tokens = [token for token in tokens if token.start == token.end or not text[token.start : token.end].isspace()]
    if form == "split":
        morphemes = as_morphemes(text, tokens)
        words = [morpheme.form for morpheme in morphemes]
        keys = [analyzer.replacement_key([morpheme], morpheme.form) for morpheme in morphemes]
        return ReplaceableText(words, keys, [True] * len(words), analyzer.agglutinative)
    # What is masked and replaced is what is written in the text, so that a new text is spaced as people write.
    groups = _group(fill_gaps(text, keep_masks(text, tokens)))
    # One past the end: the last word counts as followed by white space, which is stripped when texts are rendered.
    starts = [group[0].start for group in groups] + [len(text) + 1]
    ends = [max(token.end for token in group if token.start < token.end) for group in groups]
    words = [" ".join(text[start:end].split()) for start, end in zip(starts, ends, strict=False)]
    keys = [analyzer.replacement_key(group, word) for group, word in zip(groups, words, strict=True)]
    spaces = [end < next_start for end, (_, next_start) in zip(ends, pairwise(starts), strict=True)]
    return ReplaceableText(words, keys, spaces, analyzer.agglutinative)


def _group(tokens: Sequence[Token]) -> list[list[Token]]:
    """Tokens that share characters together: 가 and 았 of 갔. One without a place goes with that before it."""
    groups: list[list[Token]] = []
    end = 0
    for token in tokens:
        if groups and (token.start < end or token.start == token.end):
            groups[-1].append(token)
        elif token.start < token.end:
            groups.append([token])
        end = max(end, token.end) if token.start < token.end else end
    return groups
