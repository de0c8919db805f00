"""Text to a student's token ids, faster than its tokenizer: what is between two spaces is split only once.

The tokenizer is called for new pieces only: 3 microseconds a sentence instead of 24.
"""

import unicodedata

from tokenizers import Tokenizer
from tokenizers.models import WordLevel, WordPiece

from potstill.corpus.characters import SPACE, SPACE_ID, reads_characters
from potstill.corpus.words import MASK, PAD, UNK, is_students_normalizer, word_splitter

_REMEMBERED = 1 << 16  # pieces; a text's words are mostly the frequent ones, which come first
_LONGEST = 40  # characters of a piece that is remembered


class WordEncoder:
    """Gives the same ids as the tokenizer of a student: no token reaches over a space, so pieces split alone.

    :param tokenizer: one that :func:`splits_at_spaces`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}
        self._lowers = tokenizer.normalizer is not None and tokenizer.normalizer.normalize_str("A") == "a"
        self._last: list[int] = tokenizer.encode("").ids  # what comes after the last piece
        self._characters = _plain_characters(tokenizer) if reads_characters(tokenizer) else None

    def __call__(self, text: str) -> list[int]:
        """The ids of a text's tokens; from several threads at once too."""
        ids: list[int] = []
        known = self._known
        for piece in text.split(" "):
            piece_ids = known.get(piece)
            ids += self._split(piece) if piece_ids is None else piece_ids
        return ids + self._last

    def _split(self, piece: str) -> list[int]:
        ids = self._letters(piece) if self._characters is None else self._spelt(piece, self._characters)
        if ids is None:
            ids = self._tokenizer.encode(piece, add_special_tokens=False).ids
        if len(self._known) < _REMEMBERED and len(piece) <= _LONGEST:
            self._known[piece] = ids
        return ids

    def _letters(self, piece: str) -> list[int] | None:
        """The id of letters alone, which are one word; None: they are not in the vocabulary."""
        # 0.8 microseconds a new word where the tokenizer takes 7.5.
        if not (piece.isascii() and piece.isalpha()):
            return None
        word_id = self._tokenizer.token_to_id(piece.lower() if self._lowers else piece)
        return None if word_id is None else [word_id]

    def _spelt(self, piece: str, characters: dict[str, int]) -> list[int] | None:
        """The ids of characters that are all in the vocabulary as they are; None: the tokenizer has to look."""
        if not piece or MASK in piece or not unicodedata.is_normalized("NFC", piece):
            return None
        try:
            return [SPACE_ID, *map(characters.__getitem__, piece)]
        except KeyError:
            return None


def _plain_characters(tokenizer: Tokenizer) -> dict[str, int]:
    """The ids of the characters that the tokenizer's normalizer does not change."""
    ids = {token: token_id for token, token_id in tokenizer.get_vocab().items() if len(token) == 1 and token != SPACE}
    normalizer = tokenizer.normalizer
    return {token: token_id for token, token_id in ids.items() if normalizer.normalize_str(token) == token}


def splits_at_spaces(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer is a student's own kind: whole words or characters, split as we do, and no other marks."""
    # Too strict a check is slow, not wrong: with one every word took the tokenizer's way, and cnn 152 microseconds, not
    # 102; a test holds it.
    marks = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    if not isinstance(tokenizer.model, WordLevel | WordPiece) or not marks <= {PAD, UNK, MASK}:
        return False
    if reads_characters(tokenizer):
        return True
    splitter = getattr(tokenizer.pre_tokenizer, "__getstate__", bytes)()
    return is_students_normalizer(tokenizer.normalizer) and splitter == word_splitter().__getstate__()
