"""Pieces of words, for the words that a vocabulary lacks: names, rare forms, typing errors."""

from collections.abc import Iterable

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.trainers import WordPieceTrainer

from potstill.corpus.words import PIECE, is_piece


def find_pieces(words: Iterable[str], n_pieces: int) -> list[str]:
    """The pieces that make up words, single characters among them: the first parts, then those with ``##``.

    The library breaks ties by chance: two calls may differ in a few pieces.

    :param words: each once, however frequent: the pieces are for rare words.
    :param n_pieces: how many; there are fewer where the words have no more.
    """
    tokenizer = Tokenizer(WordPiece(unk_token="<unk>"))
    trainer = WordPieceTrainer(
        vocab_size=n_pieces, min_frequency=2, continuing_subword_prefix=PIECE, show_progress=False
    )
    tokenizer.train_from_iterator(words, trainer)
    return sorted(tokenizer.get_vocab(), key=lambda piece: (is_piece(piece), piece))
