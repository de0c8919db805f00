"""Texts that a teacher gives no answer for: their rows of logits are NaN, and they are left out of a transfer set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.texts import Text


@dataclass(frozen=True)
class LeftOut:
    """A text without an answer.

    :param reason: a word or two, and after a colon what was said.
    """

    text: Text
    reason: str

    @property
    def kind(self) -> str:
        """The reason without its details, by which such texts are counted."""
        return self.reason.partition(":")[0]


def without_answer(logits: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The rows without an answer: bool ``[len(logits)]``. A row that is NaN in part is an error of the teacher's."""
    return np.asarray(np.isnan(logits).all(axis=1))


def left_out_of(teacher: object, texts: Sequence[Text], logits: NDArray[np.float32]) -> list[LeftOut]:
    """The texts without an answer, in order, with the reasons that the teacher has for those of its last call."""
    reasons = {each.text: each.reason for each in getattr(teacher, "left_out", ())}
    missing = np.flatnonzero(without_answer(logits)).tolist()
    return [LeftOut(texts[row], reasons.get(texts[row], "no answer")) for row in missing]
