"""A student's vocabulary: its tokenizer and its word table, built from the training text, saved and loaded.

The tokenizer is a ``tokenizers`` pipeline in ``tokenizer.json``. Hugging Face and the runtime read this one file, so
that both split text alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from potstill.artifacts import EMBEDDING, TOKENIZER, atomic_file
from potstill.corpus.characters import build_character_tokenizer, frequent_characters, reads_characters
from potstill.corpus.safe_loading import open_array, open_tokenizer
from potstill.corpus.vectors import VectorSource, cut_to_vocabulary
from potstill.corpus.words import N_SPECIAL, UNK_ID, build_tokenizer, count_words
from potstill.errors import PotstillError


@dataclass(frozen=True)
class Vocabulary:
    """A student's tokenizer and its word table.

    :param table: float32 ``[vocabulary, width]``, rows of pad, unknown and mask first; None where the tokens are
        characters, whose vectors the student makes itself.
    """

    tokenizer: Tokenizer
    table: NDArray[np.float32] | None


def build_vocabulary(
    texts: Iterable[str],
    vectors: VectorSource,
    *,
    n_frequent: int,
    lower: bool,
    width: int | None = None,
    seed: int = 42,
) -> Vocabulary:
    """The vocabulary of a transfer set: its words, and the most frequent ones of the vectors' source.

    :param width: what the vectors' width must be; None takes any.
    :param seed: of the vectors of words that the source lacks.
    :raises PotstillError: when the vectors are of another width.
    """
    if width is not None and vectors.width != width:
        raise PotstillError(
            f"the word vectors have {vectors.width} numbers, the configuration says token_emb_dim {width}: "
            f"change one of them"
        )
    words, table = cut_to_vocabulary(vectors, count_words(texts, lower), n_frequent, lower, seed)
    return Vocabulary(build_tokenizer(words, lower), with_special_rows(table))


def with_special_rows(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """A word table with the rows of pad, unknown and mask before it."""
    special = np.zeros((N_SPECIAL, table.shape[1]), dtype=np.float32)
    # An unknown word is like an average one.
    special[UNK_ID] = table.mean(axis=0)
    return np.concatenate([special, table])


def build_characters(texts: Iterable[str], lower: bool) -> Vocabulary:
    """The vocabulary of a student that reads characters: those of its transfer set."""
    return Vocabulary(build_character_tokenizer(frequent_characters(texts, lower), lower), None)


def save_vocabulary(vocabulary: Vocabulary, folder: Path) -> None:
    """Write ``tokenizer.json`` and, of words, ``embedding.npy`` into a folder."""
    with atomic_file(folder / TOKENIZER) as partial:
        vocabulary.tokenizer.save(str(partial))
    if vocabulary.table is None:
        (folder / EMBEDDING).unlink(missing_ok=True)  # of an earlier vocabulary of words
        return
    with atomic_file(folder / EMBEDDING) as partial, partial.open("wb") as file:
        np.save(file, vocabulary.table)


def load_vocabulary(folder: Path) -> Vocabulary:
    """Read what :func:`save_vocabulary` wrote.

    :raises PotstillError: when it is missing or the two do not belong together.
    """
    _check_prepared(folder / TOKENIZER)
    tokenizer = open_tokenizer(folder / TOKENIZER)
    if reads_characters(tokenizer):
        return Vocabulary(tokenizer, None)
    _check_prepared(folder / EMBEDDING)
    table = np.array(open_array(folder / EMBEDDING))  # a copy, to be trained
    if len(table) != tokenizer.get_vocab_size():
        raise PotstillError(
            f"{folder}: {EMBEDDING} has {len(table)} words and {TOKENIZER} {tokenizer.get_vocab_size()}: "
            f"run potstill preprocess again"
        )
    return Vocabulary(tokenizer, table)


def _check_prepared(file: Path) -> None:
    if not file.is_file():
        raise PotstillError(f"{file.parent}: no {file.name} in it; make it with: potstill preprocess")
