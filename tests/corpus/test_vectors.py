"""Word vectors: the vocabulary, vectors of several sources, whole words."""

import numpy as np
import pytest
from tokenizers import ByteLevelBPETokenizer, Tokenizer
from tokenizers.decoders import Metaspace
from tokenizers.models import Unigram, WordPiece
from tokenizers.pre_tokenizers import Whitespace

from potstill.corpus.vectors import JoinedVectors, PieceVectors, WordVectors, cut_to_vocabulary, whole_words


def test_the_vocabulary_is_the_texts_words_and_the_most_frequent() -> None:
    vectors = WordVectors(["the", "The", "film", "rare"], np.arange(8, dtype=np.float32).reshape(4, 2))
    words, table = cut_to_vocabulary(vectors, ["rare", "new"], n_frequent=3, lower=True, seed=0)
    assert words == ["rare", "new", "the", "film"]
    np.testing.assert_array_equal(table[[0, 2, 3]], [[6, 7], [0, 1], [4, 5]])
    assert np.abs(table[1]).max() > 0


def test_a_word_without_pieces_has_a_vector_all_the_same() -> None:
    rows = np.arange(4, dtype=np.float32).reshape(2, 2)
    tokenizer = Tokenizer(WordPiece({"[UNK]": 0, "film": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    looked_up = PieceVectors(tokenizer, rows).look_up(["", "film"], np.random.default_rng(0))
    np.testing.assert_array_equal(looked_up, rows)


def test_joined_vectors_are_concatenated_and_the_first_names_the_frequent_words() -> None:
    first = WordVectors(["the", "film"], np.array([[1, 2], [3, 4]], dtype=np.float32))
    second = WordVectors(["film", "story", "the"], np.array([[5], [6], [7]], dtype=np.float32))
    joined = JoinedVectors([first, second])
    assert joined.width == 3
    assert joined.frequent_words(5) == ["the", "film"]
    rows = joined.look_up(["film", "the", "story"], np.random.default_rng(0))
    np.testing.assert_array_equal(rows[:2], [[3, 4, 5], [1, 2, 7]])
    assert rows[2, 2] == 6 and np.abs(rows[2, :2]).min() > 0
    assert rows.dtype == np.float32


def test_the_seed_says_the_vectors_of_words_without_one() -> None:
    vectors = WordVectors(["the"], np.array([[1, -1]], dtype=np.float32))
    first, same, other = (
        cut_to_vocabulary(vectors, ["new"], n_frequent=0, lower=True, seed=seed)[1] for seed in (1, 1, 2)
    )
    assert first.tolist() == same.tolist() != other.tolist()


def test_whole_words_of_word_pieces_are_those_that_go_on_from_none() -> None:
    pieces = ["[UNK]", "[CLS]", "film", "##s", ",", "2000", "The", "the", "##ed", "naïve"]
    tokenizer = Tokenizer(WordPiece({piece: index for index, piece in enumerate(pieces)}, unk_token="[UNK]"))
    assert whole_words(tokenizer, 9) == ["film", "The", "the", "naïve"]
    assert whole_words(tokenizer, 2) == ["film", "The"]


def test_a_word_piece_that_looks_like_a_mark_is_a_letter() -> None:
    pieces = ["[UNK]", "film", "Ġ", "##Ġ", "the"]  # a Maltese letter, in the vocabularies of many languages
    tokenizer = Tokenizer(WordPiece({piece: index for index, piece in enumerate(pieces)}, unk_token="[UNK]"))
    assert [word for word in whole_words(tokenizer, 9) if word != "Ġ"] == ["film", "the"]


@pytest.mark.parametrize("decoder", [Metaspace(), None])
def test_whole_words_of_sentence_pieces_are_those_with_the_mark(decoder: Metaspace | None) -> None:
    pieces = ["<unk>", "▁", "▁the", "s", "▁film", "ing", "▁,", "▁été", "▁2"]
    tokenizer = Tokenizer(Unigram([(piece, -float(index)) for index, piece in enumerate(pieces)], unk_id=0))
    if decoder:
        tokenizer.decoder = decoder
    assert whole_words(tokenizer, 9) == ["the", "film", "été"]


def test_whole_words_of_byte_level_pieces_are_words_and_not_their_bytes() -> None:
    text = "un film, día tras día, при дожде"
    tokenizer = ByteLevelBPETokenizer(add_prefix_space=True)
    tokenizer.train_from_iterator([text] * 9, vocab_size=500)
    words = whole_words(Tokenizer.from_str(tokenizer.to_str()), 500)
    assert {"film", "día", "tras", "при", "дожде"} <= set(words)
    assert all(word in text for word in words)
