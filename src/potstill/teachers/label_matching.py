"""Which of a classifier's logits is which of the data's labels, and whether valid agrees."""

import json
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from potstill.errors import PotstillError, shown

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_SIGMAS = 2  # an accuracy so many standard deviations below that of guessing is no accident
_FAR_BETTER = 0.1  # of accuracy


@dataclass(frozen=True)
class LabelMatch:
    """Which of a classifier's logits is which of the data's labels.

    :param own: the classifier's label of each logit.
    :param labels: the data's.
    :param order: for each of the data's labels the index of its logit.
    :param how: ``by name``, ``by name, whatever its case``, or ``by position``.
    """

    own: list[str]
    labels: list[str]
    order: list[int]
    how: str

    def __str__(self) -> str:
        pairs = (f"{self.own[index]} is {label}" for label, index in zip(self.labels, self.order, strict=True))
        return f"its labels were matched {self.how}: {shown(', '.join(pairs))}"


def own_labels(config: "PreTrainedConfig") -> list[str]:
    """The names of a classifier's logits, in order."""
    names = {int(index): str(name) for index, name in (config.id2label or {}).items()}
    return [names[index] for index in sorted(names)]


def match_labels(config: "PreTrainedConfig", labels: list[str]) -> LabelMatch | None:
    """Match a checkpoint's labels with the data's, see :func:`match_names`."""
    return match_names(own_labels(config), labels)


def match_names(own: Sequence[str], labels: Sequence[str]) -> LabelMatch | None:
    """Match a classifier's labels with the data's; None where they do not match.

    Names match exactly, else without regard to case. Where one side has only numbers (``0``, ``LABEL_0``), labels match
    by position.

    :param own: the classifier's label of each logit.
    :param labels: the data's.
    """
    own, labels = list(own), list(labels)
    names, wanted = ([unicodedata.normalize("NFC", label) for label in given] for given in (own, labels))
    if sorted(names) == sorted(wanted):
        return LabelMatch(own, labels, [names.index(label) for label in wanted], "by name")
    names, wanted = [name.lower() for name in names], [label.lower() for label in wanted]
    if sorted(names) == sorted(wanted) and len(set(names)) == len(names):
        return LabelMatch(own, labels, [names.index(label) for label in wanted], "by name, whatever its case")
    # LABEL_0 and 0 are no names: they mean a position.
    by_position = [str(index) for index in range(len(labels))]
    is_numbered = wanted == by_position or [name.removeprefix("label_") for name in names] == by_position
    if is_numbered and len(names) == len(labels):
        return LabelMatch(own, labels, list(range(len(labels))), "by position")
    return None


@dataclass(frozen=True)
class MatchCheck:
    """What valid says of a match.

    :param found: the share of right labels, and the match.
    :param better: the match that would be better by far; empty: there is none.
    """

    found: str
    better: str = ""

    @property
    def is_doubtful(self) -> bool:
        """Whether another match would be better by far."""
        return bool(self.better)

    def __str__(self) -> str:
        return f"{self.found}; {self.better}" if self.better else self.found


def check_match(match: LabelMatch, decisions: NDArray[np.int64], gold: NDArray[np.int64], source: str) -> MatchCheck:
    """Compare a match with valid: a classifier that is right less often than by guessing has its labels the wrong way
    round, or they mean something else.

    :param decisions: the classifier's label of each text of valid, as matched, int64 ``[n_texts]``.
    :param gold: the gold ones.
    :param source: the classifier, to name in an error.
    :raises PotstillError: when it is below chance.
    """
    n_labels = len(match.labels)
    counts = np.zeros((n_labels, n_labels), dtype=np.int64)
    np.add.at(counts, (decisions, gold), 1)
    accuracy, chance = float(counts.trace() / counts.sum()), 1 / n_labels
    best, mapping = _best_mapping(match, counts)
    found = f"{source}: {100 * accuracy:.1f}% of valid is right; {match}"
    if accuracy <= chance - _SIGMAS * math.sqrt(chance * (1 - chance) / counts.sum()):
        raise PotstillError(f"{found}; guessing gives {100 * chance:.1f}%: {mapping}, or give another teacher")
    return MatchCheck(found, mapping if best > accuracy + _FAR_BETTER else "")


def _best_mapping(match: LabelMatch, counts: NDArray[np.int64]) -> tuple[float, str]:
    """The match that is best on valid: the share of right labels, and how it is made.

    :param counts: texts by decision, then by gold label.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(counts, maximize=True)
    share = float(counts[rows, columns].sum() / counts.sum())
    names = {
        match.order[row]: match.labels[column] for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    }
    changed = {str(index): name for index, name in sorted(names.items()) if match.own[index] != name}
    written = shown(json.dumps(changed, ensure_ascii=False), 600)
    return share, f"with {written} in the id2label of its config.json it would be {100 * share:.1f}%"
