"""How much of a text teacher and students read at once, by the lengths of train's texts."""

from pathlib import Path
from typing import Any

import pytest

from potstill.corpus.examples import Example
from potstill.corpus.splits import Corpus
from potstill.distillation.distill import distill
from potstill.distillation.text_length import choose_lengths
from potstill.errors import PotstillError
from potstill.evaluation.results import read_evaluation
from potstill.model_folder import ModelFolder
from small_runs import small_run


def corpus_of(*lengths: int) -> Corpus:
    """Texts of so many words, each of them one token of the stand-in."""
    examples = [Example(" ".join(["film"] * length), str(row % 2)) for row, length in enumerate(lengths)]
    return Corpus({"train": examples}, ["0", "1"], {}, None)


@pytest.fixture
def chosen(tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path) -> Any:
    def choose(*lengths: int, is_asked: bool = False, **options: Any) -> tuple[int | None, int | None]:
        given = small_run(tiny_data, tiny_encoder, tiny_vectors, tmp_path, **options)
        found = choose_lengths(given, corpus_of(*lengths), is_asked=is_asked)
        return found.teacher_tokens, found.student_words

    return choose


def test_short_texts_are_read_as_ever(chosen: Any) -> None:
    assert chosen(*[20] * 99, 90) == (100, 100)
    assert chosen(*[20] * 100, 900) == (100, 100)  # one long text


def test_long_texts_are_read_further_up_to_a_limit(chosen: Any) -> None:
    assert chosen(*[120] * 10) == (128, 120)  # 122 tokens with the special ones; the encoder's limit is 128
    assert chosen(*[300] * 10) == (128, 304)
    assert chosen(*[900] * 10) == (128, 400)
    assert chosen(*[900] * 10, is_asked=True) == (100, 400)


def test_what_is_given_wins(chosen: Any) -> None:
    assert chosen(*[300] * 10, teacher_tokens=16, student_words=50) == (16, 50)


def test_morphemes_are_more_than_words(chosen: Any) -> None:
    assert chosen(*[60] * 10, analyzer="kiwi") == (100, 152)


@pytest.mark.parametrize("option", ["teacher_tokens", "student_words"])
def test_a_length_that_reads_nothing_is_one_line(option: str, chosen: Any) -> None:
    with pytest.raises(PotstillError, match=f"--{option}=0: must be"):
        chosen(20, **{option: 0})


def test_a_run_reads_texts_in_windows(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = small_run(
        tiny_data, tiny_encoder, tiny_vectors, tmp_path / "run", teacher_tokens=8, long_texts="confident", gold_epochs=0
    )
    with caplog.at_level("INFO"):
        distill(options)
    assert "20 of valid's 20 texts are longer than the 8 tokens that it reads at once" in caplog.text
    assert ModelFolder(tmp_path / "run" / "teacher").long_texts == "confident"
    assert read_evaluation(tmp_path / "run").teacher.total == 20
