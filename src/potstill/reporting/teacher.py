"""What a report tells of a black box: how its answers became scores, what they cost, how far they can be trusted."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.artifacts import LABELLED, TEACHER, read_object


@dataclass(frozen=True)
class TeacherAudit:
    """A language model's answers in a run, those of the cache too.

    :param answers: how they became scores.
    :param n_texts: that have one.
    :param n_requests: that were sent for them when the stages were last made; the others came from the cache.
    :param tokens_in: of the prompts of all answers; ``tokens_out`` of the answers.
    :param left_out: texts without an answer, by reason.
    :param disagreement: the share of texts with another label in another order of the labels; None: one order.
    :param distance: half the sum of the differences of two orders' probabilities, the mean over these texts.
    :param seconds: a request.
    :param text_cost: of a text with all its requests, in the currency of the prices; None without prices.
    """

    answers: str
    n_texts: int
    n_requests: int
    tokens_in: int
    tokens_out: int
    left_out: dict[str, int]
    disagreement: float | None
    distance: float | None
    seconds: float
    text_cost: float | None


def read_audit(run: Path) -> TeacherAudit | None:
    """What the stages of a run noted; None for a teacher that was not a language model."""
    usages = [usage for usage in _usages(run) if usage["n_texts"] or usage["left_out"]]
    if not usages:
        return None
    left_out: Counter[str] = Counter()
    for usage in usages:
        left_out.update(usage["left_out"])
    answered = [usage for usage in usages if usage["n_texts"]] or usages
    return TeacherAudit(
        answers=answered[-1]["answers"],
        n_texts=sum(usage["n_texts"] for usage in usages),
        n_requests=sum(usage["n_requests"] for usage in usages),
        tokens_in=sum(usage["used_in"] for usage in usages),
        tokens_out=sum(usage["used_out"] for usage in usages),
        left_out=dict(left_out),
        disagreement=_mean(usages, "disagreement", "n_compared"),
        distance=_mean(usages, "distance", "n_compared"),
        seconds=answered[-1]["seconds"],
        text_cost=_mean(usages, "text_cost", "n_texts"),
    )


def _usages(run: Path) -> Iterator[dict[str, Any]]:
    for stage in (LABELLED, "teacher", "transfer"):
        file = run / stage / TEACHER
        usage = read_object(file).get("usage") if file.is_file() else None
        if usage:
            yield usage


def _mean(usages: list[dict[str, Any]], name: str, weight: str) -> float | None:
    """The mean over all texts of the stages that know a value."""
    known = [usage for usage in usages if usage[name] is not None and usage[weight]]
    total = sum(usage[weight] for usage in known)
    return sum(usage[name] * usage[weight] for usage in known) / total if total else None
