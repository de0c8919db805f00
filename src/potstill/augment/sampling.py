"""The augmentation rules on arrays: masking, replacement by part of speech, masking of n-grams, cutting to a few words.

The rules are those of Tang et al. 2019 (https://arxiv.org/abs/1903.12136) and the recipe. All texts are end to end in
one array, and one round of sampling is a few array operations over all of them. Pure: randomness is the ``Generator``
that is passed in.
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

_RECIPE_ROUNDS = 20
MASK_ID = 0  # the id of the mask token among the corpus' words

Kind = Literal["own", "replaced", "masked", "run", "cut"]
"""What was done to a text: nothing; words replaced; words masked; a run of words masked; cut to a few words. A later
one may have those before it too."""
_OWN, _REPLACED, _MASKED, _RUN, _CUT = range(5)
_KINDS: tuple[Kind, ...] = ("own", "replaced", "masked", "run", "cut")


@dataclass(frozen=True)
class Rules:
    """What is done to a text, and how often.

    :raises PotstillError: for a value out of range.
    """

    # The recipe's values. On 2,000 lines of SST-2 and five new texts a line no rule, and not augmentation as a whole,
    # could be distinguished from none (0.9 points of test or less; one sigma is 1.0).
    n_iter: int | None = None
    """New texts sampled from each text. Default: 20; of distill by --effort and the number of texts."""
    p_mask: float = 0.1
    """Probability that a word is masked."""
    p_pos: float = 0.1
    """Probability that a word is replaced by one of the same part of speech."""
    p_ng: float = 0.25
    """Probability that a run of words (an n-gram) is masked in a text."""
    max_ng: int = 5
    """Longest run of words that is masked."""
    # Off: windows gave a student 75.62 on test, the other rules alone 75.67 (the same run).
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
        if self.n_rounds < 0:
            raise PotstillError(f"--n_iter={self.n_iter}: must not be negative")
        for name in ("max_ng", "max_window"):
            if getattr(self, name) < 1:
                raise PotstillError(f"--{name}={getattr(self, name)}: a run of words has at least 1")

    @property
    def n_rounds(self) -> int:
        """New texts sampled from each text."""
        return _RECIPE_ROUNDS if self.n_iter is None else self.n_iter


@dataclass(frozen=True)
class Corpus:
    """Tagged texts as arrays.

    :param words: the distinct words; the first is the mask token.
    :param agglutinative: whether changed words stay as close to their neighbours as the words were.
    :param word_ids: int32 ``[n_words]``, all texts end to end.
    :param key_ids: int32 ``[n_words]``: words of the same key may replace each other; -1 is never replaced.
    :param spaces: bool ``[n_words]``: white space follows.
    :param offsets: int64 ``[n_texts + 1]``.
    :param choices: int32, the words of each key, key after key.
    :param choice_offsets: int64 ``[n_keys + 1]``, where in ``choices`` a key's words are.
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


@dataclass(frozen=True)
class Round:
    """One new text of each of some texts, ``n_words`` words in all.

    :param word_ids: int32 ``[n_words]``.
    :param changed: bool ``[n_words]``: masked or replaced.
    :param kept: bool ``[n_words]``: what is left of the text where it is cut.
    :param kinds: of each text, ``[n_texts]``.
    """

    word_ids: NDArray[np.int32]
    changed: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    kinds: list[Kind]


def build_corpus(texts: Iterable[ReplaceableText], rules: Rules) -> Corpus:
    """Turn texts into arrays, with the words that may replace each key's."""
    words = {rules.mask_token: MASK_ID}
    keys: dict[str, int] = {}
    word_ids, key_ids, spaces, offsets = array("i"), array("i"), bytearray(), array("q", [0])
    agglutinative = False
    for text in texts:
        written = [word.lower() for word in text.words] if rules.lower else text.words
        word_ids.extend([words.setdefault(word, len(words)) for word in written])
        key_ids.extend([keys.setdefault(key, len(keys)) if key else -1 for key in text.keys])
        spaces.extend(text.spaces)
        offsets.append(len(word_ids))
        agglutinative = text.agglutinative
    word_array, key_array = np.array(word_ids, dtype=np.int32), np.array(key_ids, dtype=np.int32)
    choices, choice_offsets = _choices(word_array, key_array, len(keys), rules)
    return Corpus(
        words=list(words),
        agglutinative=agglutinative,
        word_ids=word_array,
        key_ids=key_array,
        spaces=np.frombuffer(spaces, dtype=np.bool_),
        offsets=np.array(offsets, dtype=np.int64),
        choices=choices,
        choice_offsets=choice_offsets,
    )


def _choices(
    word_ids: NDArray[np.int32], key_ids: NDArray[np.int32], n_keys: int, rules: Rules
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The words of each key, key after key, and where each key's are."""
    pairs = np.stack([key_ids, word_ids], axis=1)[key_ids >= 0]  # [n_replaceable, (key, word)]
    if rules.replacement == "uniform":
        pairs = np.unique(pairs, axis=0)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return pairs[:, 1].copy(), np.searchsorted(pairs[:, 0], np.arange(n_keys + 1)).astype(np.int64)


def sample_round(corpus: Corpus, texts: slice, rules: Rules, generator: np.random.Generator) -> Round:
    """Sample one new text from each of some texts.

    Word by word, from left to right, a word is masked with ``p_mask``, else replaced with ``p_pos``, until
    half of the text's words are changed; then, with ``p_ng``, a run of 1 to ``max_ng`` words is masked where
    that keeps the changed words under half. Last, with ``p_window``, all but a run of words is dropped.

    :param texts: which texts of the corpus.
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
    masked &= changed
    new = np.where(changed, _replacements(corpus, words, generator), corpus.word_ids[words])
    new[masked] = MASK_ID
    n_changed, n_masked = _count(changed, starts, lengths), _count(masked, starts, lengths)
    in_run = _runs(starts, lengths, cap - n_changed, rules, generator)
    new[in_run] = MASK_ID
    kept = sample_windows(corpus, texts, new, rules, generator)
    kinds = np.where(n_masked > 0, _MASKED, np.where(n_changed > 0, _REPLACED, _OWN))
    kinds[_count(in_run, starts, lengths) > 0] = _RUN
    kinds[_count(kept, starts, lengths) < lengths] = _CUT
    return Round(new, changed | in_run, kept, [_KINDS[kind] for kind in kinds.tolist()])


def own_round(corpus: Corpus, texts: slice) -> Round:
    """The texts themselves."""
    words = corpus.word_ids[corpus.offsets[texts.start] : corpus.offsets[texts.stop]]
    unchanged = np.zeros(len(words), dtype=np.bool_)
    return Round(words, unchanged, ~unchanged, ["own"] * (texts.stop - texts.start))


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
    """For each word one of its key; words without a key stay."""
    keys, own = corpus.key_ids[words], corpus.word_ids[words]
    drawn = generator.random(len(keys))
    if not len(corpus.choices):
        return own
    first, end = corpus.choice_offsets[keys], corpus.choice_offsets[keys + 1]  # of key -1: any, not used
    picked = first + (drawn * np.maximum(end - first, 0)).astype(np.int64)
    return np.where(keys >= 0, corpus.choices[np.minimum(picked, len(corpus.choices) - 1)], own)


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
    """Which words are between a start and its end."""
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
    # After masking and replacing, so that the paper's n-gram sampling goes together with the recipe's rules; never to
    # masks alone, so that the teacher is always given a word.
    if not rules.p_window:
        return np.ones(len(new), dtype=np.bool_)
    offsets = corpus.offsets[texts.start : texts.stop + 1] - corpus.offsets[texts.start]
    starts, lengths = offsets[:-1], np.diff(offsets)
    chosen = generator.random(len(starts)) < rules.p_window
    size = np.minimum(generator.integers(1, rules.max_window + 1, len(starts)), lengths)
    at = starts + (generator.random(len(starts)) * (lengths - size + 1)).astype(np.int64)
    words = np.concatenate([[0], np.cumsum(new != MASK_ID)])
    chosen &= words[at + size] > words[at]
    in_window = _between(at[chosen], (at + size)[chosen], len(new))
    return in_window | ~np.repeat(chosen, lengths)


def render(corpus: Corpus, texts: slice, sampled: Round) -> list[str]:
    """Put sampled words back together as texts, with the white space of their sources.

    Unless the corpus' language is agglutinative, a changed word that was close to its neighbour is set apart, so that
    splitting the text into words gives back the sampled words.

    :param texts: those that were sampled.
    """
    # The teacher gets text like that which it was fine-tuned on: only a changed word may get a space that is new.
    offsets = corpus.offsets[texts.start : texts.stop + 1]
    spaces = corpus.spaces[offsets[0] : offsets[-1]]
    if not corpus.agglutinative:
        spaces = spaces | sampled.changed | np.append(sampled.changed[1:], False)
    names = corpus.words
    pieces = [
        f"{names[word]} " if space else names[word]
        for word, space in zip(sampled.word_ids.tolist(), spaces.tolist(), strict=True)
    ]
    if not sampled.kept.all():
        pieces = [piece if keep else "" for piece, keep in zip(pieces, sampled.kept.tolist(), strict=True)]
    bounds = (offsets - offsets[0]).tolist()
    return ["".join(pieces[start:end]).rstrip() for start, end in pairwise(bounds)]
