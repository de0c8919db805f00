"""Whether fine-tuning taught the teacher enough, said before the costly stages that follow it."""

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from potstill.artifacts import TRAINING, read_json, write_json
from potstill.corpus.encoded import encode
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.reference import ReferenceOnValid, fit_reference
from potstill.runs.contents import read_gold, read_split
from potstill.runs.job import Job

if TYPE_CHECKING:
    from potstill.teachers.checkpoints import Checkpoint
    from potstill.training.trainer import Training

logger = logging.getLogger(__name__)

TRAIN_ACCURACY = "train_accuracy"  # in the teacher's training.json
_SAMPLE = 500  # texts of train
_NOTICEABLE = 0.02  # of accuracy, above the most frequent label's share


@dataclass(frozen=True)
class Convergence:
    """How far a fine-tuning came; accuracies are shares of right labels, of the weights that were kept.

    :param train: on some texts of train.
    :param majority: the share of valid that has the most frequent label.
    :param epochs: of fine-tuning.
    :param last: the accuracies on valid of the last evaluations.
    :param is_rising: whether the last one was still rising.
    :param reference: what TF-IDF makes of the same labels in seconds, if that was asked for.
    """

    train: float
    valid: float
    majority: float
    epochs: float
    last: list[float]
    is_rising: bool
    reference: ReferenceOnValid | None = None

    @property
    def problems(self) -> list[str]:
        """Why it had more to learn; none where it had not."""
        problems = []
        if self.is_rising:
            figures = ", ".join(f"{100 * accuracy:.1f}" for accuracy in self.last)
            problems.append(f"valid was still rising when fine-tuning ended after {self.epochs:.0f} epochs ({figures})")
        if min(self.train, self.valid) < self.majority + _NOTICEABLE:
            problems.append(f"the most frequent label alone has {100 * self.majority:.1f}% of valid")
        if self.reference and self.valid < self.reference.accuracy:
            problems.append("TF-IDF is better")
        return problems

    def __str__(self) -> str:
        found = f"{100 * self.train:.1f}% of train and {100 * self.valid:.1f}% of valid are right"
        return f"{found}; {self.reference}" if self.reference else found


def report_convergence(
    checkpoint: "Checkpoint", training: "Training", tokenizer: Tokenizer, job: Job, work: Path
) -> None:
    """Log how far the fine-tuning came, as a warning where the teacher had more to learn; note train's accuracy.

    :param checkpoint: with the weights that were kept.
    """
    convergence = _measure(checkpoint, training, tokenizer, job)
    write_json(work / TRAINING, read_json(work / TRAINING) | {TRAIN_ACCURACY: round(convergence.train, 4)})
    log_convergence(convergence)


def log_convergence(convergence: Convergence) -> None:
    """Log how far a fine-tuning came."""
    if convergence.problems:
        logger.warning(
            "teacher: %s. It had more to learn: %s: give more --teacher_epochs than that, a higher --teacher_lr, or "
            "another --teacher",
            convergence,
            "; ".join(convergence.problems),
        )
    else:
        logger.info("teacher: %s", convergence)


def _measure(checkpoint: "Checkpoint", training: "Training", tokenizer: Tokenizer, job: Job) -> Convergence:
    from potstill.teachers.inference import in_torch, predict_logits

    texts, gold = read_gold(job.folder, "train")
    rows = np.linspace(0, len(texts) - 1, min(_SAMPLE, len(texts))).round().astype(int)  # files are often sorted
    sample = encode([texts[row] for row in rows], tokenizer)
    logits = predict_logits(in_torch(checkpoint.model), sample, pad_id=checkpoint.model.config.pad_token_id or 0)
    train, valid = (Labelled.of(read_split(job.folder, split)) for split in ("train", "valid"))
    evaluations = training.evaluations
    kept = training.kept(job.measure)
    return Convergence(
        train=float(job.task.is_right(job.task.decide(logits), gold[rows]).mean()),
        valid=kept["accuracy"],
        majority=max(Counter(valid.labels).values()) / len(valid.labels),
        epochs=evaluations[-1]["epoch"],
        last=[entry["accuracy"] for entry in evaluations[-3:]],
        is_rising=training.is_rising,
        reference=fit_reference(train=train, valid=valid, seed=job.options.seed) if job.options.reference_row else None,
    )
