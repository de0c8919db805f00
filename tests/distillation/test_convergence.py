"""What a run says of a teacher that had more to learn."""

from dataclasses import replace
from pathlib import Path

import pytest

from potstill.artifacts import read_json
from potstill.distillation.convergence import Convergence, log_convergence
from potstill.distillation.distill import distill
from potstill.evaluation.reference import ReferenceOnValid
from small_runs import small_run

GOOD = Convergence(
    train=0.99,
    valid=0.9,
    majority=0.5,
    epochs=3.0,
    last=[0.85, 0.89, 0.9],
    is_rising=False,
    reference=ReferenceOnValid(0.8, 0.31),
)


def test_a_teacher_that_converged_is_told_beside_tfidf(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="potstill")
    log_convergence(GOOD)
    (record,) = caplog.records
    assert record.levelname == "INFO" and record.message == (
        "teacher: 99.0% of train and 90.0% of valid are right; TF-IDF + logistic regression, fitted in 0.3 s: "
        "80.0% of valid"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"is_rising": True}, "valid was still rising when fine-tuning ended after 3 epochs (85.0, 89.0, 90.0)"),
        ({"valid": 0.51}, "the most frequent label alone has 50.0% of valid; TF-IDF is better"),
        ({"train": 0.5}, "the most frequent label alone has 50.0% of valid"),
        ({"valid": 0.79}, "It had more to learn: TF-IDF is better"),
    ],
)
def test_one_that_did_not_is_a_warning_with_what_to_do(
    changes: dict[str, float], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    log_convergence(replace(GOOD, **changes))  # type: ignore[arg-type]
    (record,) = caplog.records
    assert record.levelname == "WARNING" and said in record.message
    assert "% of train and " in record.message and "TF-IDF + logistic regression, fitted in 0.3 s" in record.message
    assert "give more --teacher_epochs than that" in record.message


def test_without_the_reference_row_none_is_fitted(caplog: pytest.LogCaptureFixture) -> None:
    log_convergence(replace(GOOD, reference=None, is_rising=True))
    assert "TF-IDF" not in caplog.text and "90.0% of valid are right. It had" in caplog.text


def test_a_run_whose_teacher_learnt_nothing_says_so_at_once_and_at_its_end(
    tiny_data: Path, tiny_encoder: Path, tiny_vectors: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    finished = distill(
        small_run(tiny_data, tiny_encoder, tiny_vectors, tmp_path / "run", teacher_lr=1e-9, gold_epochs=0)
    )
    (warning,) = [
        message for message in caplog.messages if message.startswith("teacher: ") and "more to learn" in message
    ]
    assert "TF-IDF is better" in warning and "% of train and" in warning
    train = read_json(tmp_path / "run" / "teacher" / "training.json")["train_accuracy"]
    assert 0 <= train <= 1
    assert f"the teacher is below it too (it has {100 * train:.1f}% of train right" in str(finished)
