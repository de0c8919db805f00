"""How each label is found: precision, recall and F1, labels that are never given, and which are taken for which."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from potstill.errors import shown
from potstill.evaluation.labelled import Labelled
from potstill.evaluation.results import LabelFigures

logger = logging.getLogger(__name__)


def figures_by_label(
    test: Labelled, predicted: Sequence[Any], names: Sequence[str], thresholds: Sequence[float | None] = ()
) -> list[LabelFigures]:
    """The figures of each label.

    :param predicted: of each text its label, or the several.
    :param names: the labels, in id order.
    :param thresholds: of the labels, where a text may have several.
    """
    gold, given = (_label_counts(labels, names) for labels in (test.labels, predicted))
    pairs = zip(test.labels, predicted, strict=True)
    both = _label_counts([_as_set(ours) & _as_set(theirs) for ours, theirs in pairs], names)
    return [
        LabelFigures(
            label=name,
            texts=gold[name],
            precision=both[name] / max(1, given[name]),
            recall=both[name] / max(1, gold[name]),
            f1=2 * both[name] / max(1, gold[name] + given[name]),
            threshold=threshold,
        )
        for name, threshold in zip(names, thresholds or [None] * len(names), strict=True)
    ]


def never_predicted(model: str, valid: Labelled, predicted: Sequence[Any], names: Sequence[str]) -> list[str]:
    """The labels of valid that a model gives to no text; a warning says so.

    :param model: its name in the table.
    :param predicted: of each text its label, or the several.
    :param names: the labels, in id order.
    """
    gold, given = (_label_counts(labels, names) for labels in (valid.labels, predicted))
    never = [name for name in names if gold[name] and not given[name]]
    if never:
        logger.warning(
            "%s: never gives %s on valid, which %d of its texts have: give more such texts, or --balance sqrt",
            model,
            shown(", ".join(f"'{name}'" for name in never)),
            sum(gold[name] for name in never),
        )
    return never


def _label_counts(labels: Iterable[Any], names: Sequence[str]) -> dict[str, int]:
    """How many texts have each label."""
    counts = Counter(name for label in labels for name in _as_set(label))
    return {name: counts[name] for name in names}


def _as_set(label: Any) -> set[str]:
    """The labels of a text: one, or several."""
    return {label} if isinstance(label, str) else set(label)


def count_confusion(part: Labelled, predicted: Sequence[Any]) -> dict[str, dict[str, int]]:
    """How many texts of each gold label got each label; pairs that do not occur are left out.

    Where a text may have several, labels are not taken for one another: it is empty.
    """
    table: dict[str, dict[str, int]] = defaultdict(dict)
    if part.task.takes_several:
        return {}
    for (gold, label), n_texts in sorted(Counter(zip(part.labels, predicted, strict=True)).items()):
        table[str(gold)][label] = n_texts
    return dict(table)
