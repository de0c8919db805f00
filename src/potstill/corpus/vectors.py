"""Word vectors: the protocol of a source, and choosing the vectors of a student's vocabulary.

Knows no files (:mod:`potstill.corpus.vector_files`) and no teacher.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from potstill.corpus.words import text_normalizer

_MARKS = "▁Ġ"  # what tokenizers put before a word's first piece
_FREQUENT = 20_000  # rows that tell how large the numbers of a table are


# Files, packages, static models, teachers and several of them joined are all sources, so that a vocabulary is made in
# one place, whatever its vectors come from.
class VectorSource(Protocol):
    """Where a student's word vectors come from."""

    @property
    def width(self) -> int:
        """Numbers a vector."""
        ...

    def frequent_words(self, n: int) -> list[str]:
        """The source's ``n`` most frequent words, or all where it has fewer."""
        ...

    def look_up(self, words: Sequence[str], generator: np.random.Generator) -> NDArray[np.float32]:
        """The words' vectors, float32 ``[len(words), width]``.

        A word without a vector gets a small random one, to be trained. Otherwise all such words would be the same.
        """
        ...


@dataclass(frozen=True)
class WordVectors:
    """Words, most frequent first, and their vectors.

    :param words: the words in the order of their file, which is by frequency in all common ones.
    :param table: float32 ``[n_words, width]``.
    """

    words: list[str]
    table: NDArray[np.float32]

    @property
    def width(self) -> int:
        """The length of one vector."""
        return int(self.table.shape[1])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    def frequent_words(self, n: int) -> list[str]:
        """The first ``n`` words."""
        return self.words[:n]

    def look_up(self, words: Sequence[str], generator: np.random.Generator) -> NDArray[np.float32]:
        """The words' rows; for unknown words random numbers, half as large as usual."""
        scale = float(self.table[:_FREQUENT].std())
        vectors = generator.normal(0.0, scale / 2, (len(words), self.width)).astype(np.float32)
        known = [(row, self._rows[word]) for row, word in enumerate(words) if word in self._rows]
        if known:
            here, there = np.array(known).T
            vectors[here] = self.table[there]
        return vectors


@dataclass(frozen=True)
class PieceVectors:
    """A static model: vectors of word pieces. A word's vector is the mean of its pieces' vectors.

    :param tokenizer: cuts words into pieces.
    :param table: float32 ``[n_pieces, width]``.
    """

    tokenizer: Tokenizer
    table: NDArray[np.float32]

    @property
    def width(self) -> int:
        """The length of one vector."""
        return int(self.table.shape[1])

    def frequent_words(self, n: int) -> list[str]:
        """The first ``n`` pieces that are whole words."""
        return whole_words(self.tokenizer, n)

    def look_up(self, words: Sequence[str], generator: np.random.Generator) -> NDArray[np.float32]:
        """The means of the words' pieces; every word has some."""
        pieces = [pieces.ids or [0] for pieces in self.tokenizer.encode_batch(list(words), add_special_tokens=False)]
        return np.stack([self.table[ids].mean(axis=0) for ids in pieces])


@dataclass(frozen=True)
class JoinedVectors:
    """The vectors of several sources, concatenated.

    :param sources: the first one names the frequent words.
    """

    sources: list[VectorSource]

    @property
    def width(self) -> int:
        """The sum of the sources' widths."""
        return sum(source.width for source in self.sources)

    def frequent_words(self, n: int) -> list[str]:
        """The frequent words of the first source."""
        return self.sources[0].frequent_words(n)

    def look_up(self, words: Sequence[str], generator: np.random.Generator) -> NDArray[np.float32]:
        """Every source's vectors of the words, concatenated."""
        return np.concatenate([source.look_up(words, generator) for source in self.sources], axis=1)


def whole_words(tokenizer: Tokenizer, n: int) -> list[str]:
    """The first ``n`` pieces of a tokenizer's vocabulary that are words by themselves.

    Where the tokenizer marks the pieces that begin a word (SentencePiece, byte-level BPE), a word is a piece with
    that mark; else (WordPiece) a piece without ``##``.
    """
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    marked = not isinstance(tokenizer.model, WordPiece) and any(piece[0] in _MARKS for piece, _ in pieces if piece)
    unmarked = ((piece[1:] if marked else piece, i) for piece, i in pieces if piece and (piece[0] in _MARKS) == marked)
    words = (tokenizer.decode([i]).strip() if marked and tokenizer.decoder else word for word, i in unmarked)
    return list(dict.fromkeys(word for word in words if word.isalpha()))[:n]


def cut_to_vocabulary(
    vectors: VectorSource, words: Iterable[str], n_frequent: int, lower: bool, seed: int
) -> tuple[list[str], NDArray[np.float32]]:
    """The vocabulary that a student needs, and its vectors.

    :param words: of the training text, always kept.
    :param n_frequent: how many of the source's most frequent words to add.
    :param lower: whether the student lower-cases; words of the source that its tokenizer never gives are left out.
    :param seed: of the vectors of words that the source lacks.
    :return: the vocabulary, and float32 ``[len(vocabulary), width]``.
    """
    # Not all words of the source: its whole table would be most of the student's size. GloVe has 400,000 words, a
    # student of SST-2 26,034.
    normalize = text_normalizer(lower).normalize_str
    frequent = [word for word in vectors.frequent_words(n_frequent) if word == normalize(word)]
    vocabulary = list(dict.fromkeys([*words, *frequent]))
    return vocabulary, vectors.look_up(vocabulary, np.random.default_rng(seed))
