"""What a function or an estimator answers for some texts, as logits: scores, probabilities, or one label a text."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from potstill.corpus.texts import Text
from potstill.errors import PotstillError, shown

SMOOTHING = 0.1  # of the probability, spread over all labels, where there are labels and no scores
FLOOR = 1e-6  # the smallest probability: what is impossible to a teacher has a finite logit
_TOLERANCE = 0.02  # how far a row of probabilities may be from one: they may be rounded

Kind = Literal["logits", "probabilities", "labels"]
"""What the answers are."""


@dataclass(frozen=True)
class Answers:
    """What was answered for some texts.

    :param kind: None where no text has an answer.
    :param logits: float32 ``[n_texts, n_labels]``; NaN in the row of a text without an answer.
    """

    kind: Kind | None
    logits: NDArray[np.float32]


def read_answers(
    given: Any, texts: Sequence[Text], labels: Sequence[str], *, name: str, kind: Kind | None = None
) -> Answers:
    """Check answers, and make logits of them.

    :param given: one row a text, as an array, a tensor, a table or a list: a score for each label; or one label a text,
        by name or by number. None instead of a row, or in all of it: no answer.
    :param labels: the label of each score.
    :param name: whose answers they are, to name in an error.
    :param kind: what its earlier answers were; None: these are the first.
    :raises PotstillError: when they are none of this, not finite, or of another kind than the earlier ones.
    """
    rows = as_rows(given, name)
    if len(rows) != len(texts):
        raise PotstillError(f"{name}: gave {len(rows)} rows for {len(texts)} texts: it must give one for each")
    answered = [index for index, row in enumerate(rows) if not _is_none(row)]
    logits = np.full((len(texts), len(labels)), np.nan, dtype=np.float32)
    if not answered:
        return Answers(kind, logits)
    answers, asked = [rows[index] for index in answered], [texts[index] for index in answered]
    are_labels = [isinstance(answer, str | int | float | np.generic) for answer in answers]
    if any(are_labels) and not all(are_labels):
        raise PotstillError(f"{name}: gave labels for some texts and scores for others: it must give one of them")
    if all(are_labels):
        found: Kind = "labels"
        ids = _label_ids(answers, asked, labels, name)
        logits[answered] = np.log(SMOOTHING / len(labels))
        logits[answered, ids] = np.log(1 - SMOOTHING + SMOOTHING / len(labels))
    else:
        scores = _scores(answers, asked, labels, name)
        sums_to_one = _sums_to_one(scores)
        found = "probabilities" if kind != "logits" and (kind == "probabilities" or sums_to_one.all()) else "logits"
        if found == "probabilities" and not sums_to_one.all():
            row = int(np.argmin(sums_to_one))
            raise PotstillError(
                f"{name}: gave probabilities for other texts, and {_listed(scores[row])}, which do not add up to one, "
                f"for {_quoted(asked[row])}: give probabilities for all texts, or logits"
            )
        logits[answered] = _log(scores) if found == "probabilities" else scores
    if kind not in (None, found):
        raise PotstillError(f"{name}: gave {kind} for other texts, and {found} for these: it must give one of them")
    return Answers(found, logits)


def as_rows(given: Any, name: str) -> list[Any]:
    """The rows of whatever holds answers.

    :raises PotstillError: when it holds none.
    """
    if hasattr(given, "detach"):  # a torch tensor; bfloat16 has no form in numpy
        given = given.detach().float().cpu().numpy() if given.is_floating_point() else given.detach().cpu().numpy()
    elif hasattr(given, "to_numpy"):  # a table or a series
        given = given.to_numpy()
    if isinstance(given, str | bytes | dict) or not hasattr(given, "__iter__") or _length(given) is None:
        raise PotstillError(
            f"{name}: gave {_kind(given)}, not a list: it must take a list of texts and give a row of scores, or a "
            "label, for each"
        )
    return list(given)


def _length(value: Any) -> int | None:
    """How many items it has; None for a single value, of which arrays have a form too."""
    try:
        return len(value)
    except TypeError:
        return None


def label_name(value: object) -> str:
    """A label as the data's files have it: whole numbers without a point, composed Unicode."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return unicodedata.normalize("NFC", str(value).strip())


def _is_none(row: Any) -> bool:
    return row is None or (isinstance(row, list | tuple | np.ndarray) and len(row) > 0 and all(x is None for x in row))


def _label_ids(answers: list[Any], texts: list[Text], labels: Sequence[str], name: str) -> list[int]:
    """The numbers of labels that are given by name, or by number where no label's name is a number."""
    ids = {unicodedata.normalize("NFC", label): index for index, label in enumerate(labels)}
    by_number = not any(label.lstrip("-").isdecimal() for label in labels)
    result = []
    for answer, text in zip(answers, texts, strict=True):
        index = ids.get(label_name(answer))
        is_whole = isinstance(answer, int | np.integer | bool | np.bool_)
        if index is None and by_number and is_whole and 0 <= int(answer) < len(labels):
            index = int(answer)
        if index is None and isinstance(answer, float | np.floating):
            raise PotstillError(
                f"{name}: gave one number a text ({answer:g} for {_quoted(text)}): give a score for each of the "
                f"{len(labels)} labels"
            )
        if index is None:
            raise PotstillError(
                f"{name}: gave the label '{shown(answer, 60)}' for {_quoted(text)}; the data's labels are "
                f"{shown(', '.join(labels))}"
            )
        result.append(index)
    return result


def _scores(answers: list[Any], texts: list[Text], labels: Sequence[str], name: str) -> NDArray[np.float64]:
    """Rows of numbers, float64 ``[len(answers), len(labels)]``, all finite."""
    expected = f"give {len(labels)} scores a text, one for each of {shown(', '.join(labels))}"
    for answer, text in zip(answers, texts, strict=True):
        length = _length(answer)
        if length is None or isinstance(answer, dict):
            raise PotstillError(f"{name}: gave {_kind(answer)} for {_quoted(text)}: {expected}")
        if length != len(labels):
            raise PotstillError(f"{name}: gave {length} scores for {_quoted(text)}: {expected}")
    try:
        scores = np.array([[float("nan") if x is None else float(x) for x in answer] for answer in answers])
    except (TypeError, ValueError):
        raise PotstillError(f"{name}: gave {shown(answers[0], 60)} for {_quoted(texts[0])}: {expected}") from None
    with np.errstate(over="ignore"):
        is_finite = np.isfinite(scores.astype(np.float32)).all(axis=1)
    if not is_finite.all():
        row = int(np.argmin(is_finite))
        raise PotstillError(
            f"{name}: gave {_listed(scores[row])} for {_quoted(texts[row])}: scores must be finite; a text without an "
            "answer has None as its row"
        )
    return scores


def _sums_to_one(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows are probabilities, bool ``[n_texts]``."""
    within = (scores >= -FLOOR).all(axis=1) & (scores <= 1 + FLOOR).all(axis=1)
    are_one: NDArray[np.bool_] = within & (np.abs(scores.sum(axis=1) - 1) <= _TOLERANCE)
    return are_one


def _log(probabilities: NDArray[np.float64]) -> NDArray[np.float32]:
    probabilities = np.maximum(probabilities, FLOOR)
    logits: NDArray[np.float32] = np.log(probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
    return logits


def _listed(row: NDArray[np.float64]) -> str:
    return shown(", ".join("nan" if math.isnan(x) else f"{x:g}" for x in row), 60)


def _quoted(text: Text) -> str:
    return f"'{shown(text if isinstance(text, str) else ' | '.join(text), 60)}'"


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
