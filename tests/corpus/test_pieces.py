"""Pieces of words: a word that the vocabulary lacks is read as parts that it has."""

from potstill.corpus.pieces import find_pieces
from potstill.corpus.words import UNK, build_tokenizer, is_piece

WORDS = ["playing", "played", "player", "walking", "walked", "walker", "talking", "talked", "lay"]


def test_pieces_are_single_characters_and_what_many_words_share() -> None:
    pieces = find_pieces(WORDS, 60)
    assert {"p", "w", "##a", "##ing", "##ed"} <= set(pieces) and len(pieces) <= 60
    assert pieces == sorted(pieces, key=lambda piece: (is_piece(piece), piece))


def test_a_word_that_is_not_in_the_vocabulary_is_cut_and_one_that_is_stays_whole() -> None:
    tokenizer = build_tokenizer(["playing", *find_pieces(WORDS, 60)], lower=True)
    assert tokenizer.encode("Playing").tokens == ["playing"]
    tokens = tokenizer.encode("palying").tokens
    assert "".join(token.removeprefix("##") for token in tokens) == "palying" and any(map(is_piece, tokens))


def test_a_character_that_no_piece_has_is_unknown() -> None:
    tokenizer = build_tokenizer(find_pieces(WORDS, 60), lower=True)
    assert tokenizer.encode("play☃").tokens[-1] == UNK


def test_a_vocabulary_without_pieces_knows_whole_words_alone() -> None:
    assert build_tokenizer(["play", "##"], lower=True).encode("playing").tokens == [UNK]
