"""What an analyzer says of a text, and the splitting into words that all of them start from."""

from dataclasses import dataclass
from functools import cache

from tokenizers.pre_tokenizers import PreTokenizer

from potstill.corpus.words import word_splitter


@dataclass(frozen=True)
class Analysis:
    """The words of one text.

    :param words: as the student's tokenizer splits them.
    :param tags: the part of speech of each; a word is replaced by words of its tag, never where it is ``""``.
    :param spaces: whether white space follows the word; the text is put back together by it.
    """

    words: list[str]
    tags: list[str]
    spaces: list[bool]


@cache
def _splitter() -> PreTokenizer:
    return word_splitter()


def split_words(text: str) -> tuple[list[str], list[bool]]:
    """The words of a text, and whether white space follows each."""
    pieces = _splitter().pre_tokenize_str(text)
    next_starts = [start for _, (start, _) in pieces[1:]] + [len(text) + 1]
    spaces = [end < start for (_, (_, end)), start in zip(pieces, next_starts, strict=True)]
    return [word for word, _ in pieces], spaces
