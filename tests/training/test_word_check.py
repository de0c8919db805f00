"""A language without spaces is told before anything is trained."""

import itertools
import logging
from pathlib import Path

import pytest

from potstill.distillation.distill import make_plan
from potstill.runs.options import DistillOptions
from potstill.training.word_check import warn_of_unknown_words
from standins import sentences

PARTS = ["这部电影", "非常好看", "演员", "演技出色", "剧情无聊", "浪费时间"]
CHINESE = ["".join(parts) + "。" for parts in itertools.permutations(PARTS, 4)]


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_text_without_spaces_is_a_warning_that_names_the_ways_out(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_unknown_words(CHINESE[::2], CHINESE[1::2], lower=True)
    (warning,) = warned(caplog)
    assert "100% of the words of valid are not in train, at 1.0 words a text" in warning
    assert "--student char-ngram" in warning and "--student teacher --layers" in warning and "--analyzer" not in warning


def test_korean_without_an_analyzer_is_pointed_to_one(caplog: pytest.LogCaptureFixture) -> None:
    korean = [f"{noun}{ending} 좋다" for noun in ("영화", "배우", "음악") for ending in ("는", "가", "도", "를")]
    warn_of_unknown_words(korean[:4], [text.replace(" ", "") for text in korean[4:]], lower=True)
    assert "Give --analyzer mecab" in warned(caplog)[0]


def test_words_divided_by_spaces_are_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    train, valid = ([text for text, _ in sentences(30, seed)] for seed in (0, 1))
    warn_of_unknown_words(train, valid, lower=True)
    warn_of_unknown_words(["a"], ["...", "123"], lower=True)
    assert warned(caplog) == []


@pytest.mark.parametrize(("student", "n_warnings"), [("cnn", 1), ("char-ngram", 0)])
def test_distill_says_so_before_it_makes_anything(
    student: str,
    n_warnings: int,
    tmp_path: Path,
    tiny_encoder: Path,
    tiny_vectors: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = [f"{text}\t{number % 2}\n" for number, text in enumerate(CHINESE)]
    (tmp_path / "data.txt").write_text("".join(lines))
    options = DistillOptions(
        data=str(tmp_path / "data.txt"), teacher=str(tiny_encoder), out=tmp_path / "run", student=(student,),
        analyzer="whitespace", embedding_path=str(tiny_vectors), student_init="none",
    )  # fmt: skip
    make_plan(options)
    assert sum("--student char-ngram" in message for message in warned(caplog)) == n_warnings
    assert not (tmp_path / "run").exists()
