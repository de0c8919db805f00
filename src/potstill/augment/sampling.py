"""The augmentation rules on arrays: masking, replacement by part of speech, masking of n-grams.

The rules are those of Tang et al. 2019 (https://arxiv.org/abs/1903.12136) and the recipe. All texts lie end
to end in one array, and one round of sampling is a few array operations over all of them. Pure: randomness
is the ``Generator`` that is passed in.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from potstill.augment.replaceable import ReplaceableText
from potstill.corpus.words import MASK
from potstill.errors import PotstillError

MASK_ID = 0  # the id of the mask token among the corpus' words


@dataclass(frozen=True)
class Rules:
    """What is done to a text, and how often.

    :raises PotstillError: for a value out of range.
    """

    n_iter: int = 20
    """New texts sampled from each text."""
    p_mask: float = 0.1
    """Probability that a word is masked."""
    p_pos: float = 0.1
    """Probability that a word is replaced by one of the same part of speech."""
    p_ng: float = 0.25
    """Probability that a run of words (an n-gram) is masked in a text."""
    max_ng: int = 5
    """Longest run of words that is masked."""
    p_window: float = 0.0
    """Probability that a run of words is kept of a text and the rest dropped (the paper's n-gram sampling)."""
    max_window: int = 5
    """Longest run of words that is kept."""
    replacement: Literal["uniform", "frequency"] = "uniform"
    """How a replacing word is drawn from those of the same part of speech: each with the same probability (the
    recipe) or as often as it occurs (the paper)."""
    mask_token: str = MASK
    """The teacher's mask token: [MASK] for BERT and ELECTRA, <mask> for RoBERTa."""
    lower: bool = False
    """Lower-case the words."""

    def __post_init__(self) -> None:
        for name in ("p_mask", "p_pos", "p_ng", "p_window"):
            if not 0 <= getattr(self, name) <= 1:
                raise PotstillError(f"--{name}={getattr(self, name)}: a probability is between 0 and 1")
        if self.p_mask + self.p_pos > 1:
            raise PotstillError(f"--p_mask={self.p_mask} and --p_pos={self.p_pos} together must not exceed 1")
        if self.n_iter < 0:
            raise PotstillError(f"--n_iter={self.n_iter}: must not be negative")
        for name in ("max_ng", "max_window"):
            if getattr(self, name) < 1:
                raise PotstillError(f"--{name}={getattr(self, name)}: a run of words has at least 1")


@dataclass(frozen=True)
class Corpus:
    """Tagged texts as arrays.

    :param words: the distinct words; the first is the mask token.
    :param agglutinative: whether changed words stay as close to their neighbours as the words were.
    :param word_ids: int32 ``[n_words]``, all texts end to end.
    :param key_ids: int32 ``[n_words]``; -1 is never replaced.
    :param spaces: bool ``[n_words]``: white space follows.
    :param offsets: int64 ``[n_texts + 1]``.
    :param choices: int32, the words of each tag, tag after tag.
    :param choice_offsets: int64 ``[n_tags + 1]``, where in ``choices`` a tag's words lie.
    """

    words: list[str]
    agglutinative: bool
    word_ids: NDArray[np.int32]
    key_ids: NDArray[np.int32]
    spaces: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    choices: NDArray[np.int32]
    choice_offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1


def build_corpus(analyses: Iterable[ReplaceableText], rules: Rules) -> Corpus:
    """Turn analysed texts into arrays, with the words that may replace each tag's."""
    words = {rules.mask_token: MASK_ID}
    tags: dict[str, int] = {}
    word_ids, tag_ids, spaces, offsets = array("i"), array("i"), bytearray(), array("q", [0])
    agglutinative = False
    for analysis in analyses:
        found = [word.lower() for word in analysis.words] if rules.lower else analysis.words
        word_ids.extend([words.setdefault(word, len(words)) for word in found])
        tag_ids.extend([tags.setdefault(tag, len(tags)) if tag else -1 for tag in analysis.keys])
        spaces.extend(analysis.spaces)
        offsets.append(len(word_ids))
        agglutinative = analysis.agglutinative
    ids, tagged = np.array(word_ids, dtype=np.int32), np.array(tag_ids, dtype=np.int32)
    choices, choice_offsets = _choices(ids, tagged, len(tags), rules)
    return Corpus(
        words=list(words),
        agglutinative=agglutinative,
        word_ids=ids,
        key_ids=tagged,
        spaces=np.frombuffer(spaces, dtype=np.bool_),
        offsets=np.array(offsets, dtype=np.int64),
        choices=choices,
        choice_offsets=choice_offsets,
    )


def _choices(
    word_ids: NDArray[np.int32], tag_ids: NDArray[np.int32], n_tags: int, rules: Rules
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The words of each tag, tag after tag, and where each tag's lie."""
    pairs = np.stack([tag_ids, word_ids], axis=1)[tag_ids >= 0]  # [n_tagged, (tag, word)]
    if rules.replacement == "uniform":
        pairs = np.unique(pairs, axis=0)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return pairs[:, 1].copy(), np.searchsorted(pairs[:, 0], np.arange(n_tags + 1)).astype(np.int64)


def sample_round(
    corpus: Corpus, texts: slice, rules: Rules, generator: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Sample one new text from each of some texts.

    Word by word, from left to right, a word is masked with ``p_mask``, else replaced with ``p_pos``, until
    half of the text's words are changed; then, with ``p_ng``, a run of 1 to ``max_ng`` words is masked where
    that keeps the changed words under half.

    :param texts: which texts of the corpus.
    :return: the new word ids, int32 ``[n_words]``, and which words were changed, bool ``[n_words]``.
    """
    offsets = corpus.offsets[texts.start : texts.stop + 1]
    words = slice(offsets[0], offsets[-1])
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    cap = lengths // 2
    drawn = generator.random(words.stop - words.start)
    replaceable = corpus.key_ids[words] >= 0
    masked = drawn < rules.p_mask
    candidates = masked | ((drawn < rules.p_mask + rules.p_pos) & replaceable)
    changed = candidates & (_rank(candidates, starts, lengths) <= np.repeat(cap, lengths))
    new = np.where(changed, _replacements(corpus, words, generator), corpus.word_ids[words])
    new[changed & masked] = MASK_ID
    in_run = _runs(starts, lengths, cap - _count(changed, starts, lengths), rules, generator)
    new[in_run] = MASK_ID
    return new, changed | in_run


def _rank(flags: NDArray[np.bool_], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each word how many flags its text has up to it."""
    before = np.concatenate([[0], np.cumsum(flags)])
    ranks: NDArray[np.int64] = before[1:] - np.repeat(before[starts], lengths)
    return ranks


def _count(flags: NDArray[np.bool_], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each text how many flags it has."""
    before = np.concatenate([[0], np.cumsum(flags)])
    counts: NDArray[np.int64] = before[starts + lengths] - before[starts]
    return counts


def _replacements(corpus: Corpus, words: slice, generator: np.random.Generator) -> NDArray[np.int32]:
    """For each word one of its tag; untagged words stay."""
    tags, own = corpus.key_ids[words], corpus.word_ids[words]
    drawn = generator.random(len(tags))
    if not len(corpus.choices):
        return own
    first, end = corpus.choice_offsets[tags], corpus.choice_offsets[tags + 1]  # of tag -1: any, not used
    picked = first + (drawn * np.maximum(end - first, 0)).astype(np.int64)
    return np.where(tags >= 0, corpus.choices[np.minimum(picked, len(corpus.choices) - 1)], own)


def _runs(
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    left: NDArray[np.int64],
    rules: Rules,
    generator: np.random.Generator,
) -> NDArray[np.bool_]:
    """The words of masked n-grams; ``left`` is how many words of a text may still be changed."""
    chosen = generator.random(len(starts)) < rules.p_ng
    size = np.minimum(generator.integers(1, rules.max_ng + 1, len(starts)), lengths - 1)
    chosen &= (lengths > 2) & (size < left)
    at = starts + (generator.random(len(starts)) * np.maximum(lengths - size, 1)).astype(np.int64)
    return _between(at[chosen], (at + size)[chosen], int(lengths.sum()))


def _between(starts: NDArray[np.int64], ends: NDArray[np.int64], n_words: int) -> NDArray[np.bool_]:
    """Which words lie from a start up to its end."""
    edges = np.zeros(n_words + 1, dtype=np.int64)
    np.add.at(edges, starts, 1)
    np.add.at(edges, ends, -1)
    return np.cumsum(edges[:-1]) > 0


def sample_windows(
    corpus: Corpus, texts: slice, new: NDArray[np.int32], rules: Rules, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """With ``p_window``, cut a text to a run of 1 to ``max_window`` of its words, not all of them masked.

    :param new: the word ids of these texts, ``[n_words]``.
    :return: which words are kept, bool ``[n_words]``.
    """
    offsets = corpus.offsets[texts.start : texts.stop + 1] - corpus.offsets[texts.start]
    starts, lengths = offsets[:-1], np.diff(offsets)
    chosen = generator.random(len(starts)) < rules.p_window
    size = np.minimum(generator.integers(1, rules.max_window + 1, len(starts)), lengths)
    at = starts + (generator.random(len(starts)) * (lengths - size + 1)).astype(np.int64)
    words = np.concatenate([[0], np.cumsum(new != MASK_ID)])
    chosen &= words[at + size] > words[at]
    in_window = _between(at[chosen], (at + size)[chosen], len(new))
    return in_window | ~np.repeat(chosen, lengths)


def render(
    corpus: Corpus,
    texts: slice,
    new: NDArray[np.int32],
    changed: NDArray[np.bool_],
    kept: NDArray[np.bool_] | None = None,
) -> list[str]:
    """Put sampled words back together as texts.

    White space stands where it stood. Unless the corpus' words are agglutinative, a changed word that was close to its
    neighbour is set apart, so that splitting the text into words gives back the sampled words.

    :param kept: which words stay in the text; by default all.
    """
    offsets = corpus.offsets[texts.start : texts.stop + 1]
    spaces = corpus.spaces[offsets[0] : offsets[-1]]
    if not corpus.agglutinative:
        spaces = spaces | changed | np.append(changed[1:], False)
    names = corpus.words
    pieces = [
        f"{names[word]} " if space else names[word] for word, space in zip(new.tolist(), spaces.tolist(), strict=True)
    ]
    if kept is not None:
        pieces = [piece if keep else "" for piece, keep in zip(pieces, kept.tolist(), strict=True)]
    bounds = (offsets - offsets[0]).tolist()
    return ["".join(pieces[start:end]).rstrip() for start, end in pairwise(bounds)]
