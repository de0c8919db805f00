"""A report as one HTML page: the template and style of ``templates/``, filled. Everything from data is escaped.

The page is one file without script, its style named by hash in its policy: it can be sent, kept and opened anywhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from potstill.evaluation.results import Evaluation, LabelFigures, Score
from potstill.reporting.charts import SHAPES
from potstill.reporting.plots import (
    cascade_lines,
    draw_cascades,
    draw_models,
    draw_risk,
    draw_training,
    risk_lines,
    training_lines,
)
from potstill.reporting.run import RunReport
from potstill.templating import name_inline, open_templates

_FOLDER = Path(__file__).parent / "templates"
_MATRIX_LABELS = 12  # more of them are shown as a list of confusions
_N_CONFUSIONS = 20  # that such a list has
_NONE = "\N{EN DASH}"  # of a black box: it has no file
_LEVELS = 8  # shades of a matrix' cells


def render_page(runs: Sequence[RunReport], price: float) -> str:
    """The page.

    :param price: of a core for an hour.
    """
    style = (_FOLDER / "report.css").read_text(encoding="utf-8")
    return (
        report_templates()
        .get_template("report.html")
        .render(
            runs=runs,
            price=price,
            style=Markup(style),
            style_name=Markup(name_inline(style)),
            models_plot=Markup(draw_models(runs)),
            differing=find_differences(runs),
            same_data=len({str(run.record["data"]) for run in runs}) == 1,
            is_matrix=lambda run: len(run.labels) <= _MATRIX_LABELS,
        )
    )


def report_templates(*, autoescape: bool = True) -> Environment:
    """The templates of ``templates/`` with what they may call.

    :param autoescape: as HTML, whatever they show.
    """
    templates = open_templates(_FOLDER, autoescape=autoescape)
    templates.filters |= {"percent": percent, "figures": figures, "short": short, "count": "{:,}".format}
    templates.globals |= {
        "cost": cost,
        "training_lines": training_lines,
        "cascade_lines": cascade_lines,
        "shapes": SHAPES,
        "shade": shade,
        "confusions": confusions,
        "best_first": best_first,
        "worst_first": worst_first,
        "draw_training": lambda run: Markup(draw_training(run)),
        "risk_lines": risk_lines,
        "draw_risk": lambda run: Markup(draw_risk(run.name, run.evaluation)),
        "draw_cascades": lambda run: Markup(draw_cascades(run.name, run.evaluation)),
    }
    return templates


def percent(share: float | None) -> str:
    """A share of 1 in percent, with two decimals; a dash for None."""
    return _NONE if share is None else f"{100 * share:.2f}"


def figures(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, without exponent; a dash for None."""
    if value is None:
        return _NONE
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def short(value: int | None) -> str:
    """A large number in thousands or millions; a dash for None."""
    if value is None:
        return _NONE
    for unit, name in ((1_000_000, " M"), (1_000, " k")):
        if value >= unit:
            return f"{figures(value / unit)}{name}"
    return str(value)


def cost(ms: float, price: float) -> float:
    """What a million predictions cost, one after another on one core.

    :param ms: a text.
    :param price: of a core for an hour.
    """
    return ms * 1e6 / 3.6e6 * price


def shade(n_texts: int, total: int) -> int:
    """The shade of a cell of a confusion matrix, from 0 to :data:`_LEVELS`, by its share of the row."""
    return math.ceil(_LEVELS * n_texts / total) if total else 0


@dataclass(frozen=True)
class Confusion:
    """A label that a model gave for another one.

    :param share: of the texts that have the gold label.
    """

    gold: str
    given: str
    n_texts: int
    share: float


def confusions(score: Score) -> list[Confusion]:
    """The most frequent confusions, the worst first."""
    pairs = [
        Confusion(gold, label, n_texts, n_texts / sum(row.values()))
        for gold, row in score.confusion.items()
        for label, n_texts in row.items()
        if gold != label
    ]
    return sorted(pairs, key=lambda pair: (-pair.n_texts, -pair.share))[:_N_CONFUSIONS]


def worst_first(score: Score) -> list[LabelFigures]:
    """The labels by their F1, the worst first; at the end those that no text of test has: nothing tells how good they
    are.
    """
    return sorted(score.by_label, key=lambda label: (label.texts == 0, label.f1))


def best_first(evaluation: Evaluation) -> list[Score]:
    """The distilled students, first the one that is best on valid."""
    best = evaluation.best
    return [best, *(score for score in evaluation.students if score is not best)]


def find_differences(runs: Sequence[RunReport]) -> dict[str, list[str]]:
    """The options whose values are not the same in all runs, each with the run's values; ``out`` always differs."""
    names = dict.fromkeys(name for run in runs for name in run.options if name != "out")
    values = {name: [run.options.get(name, "") for run in runs] for name in names}
    return {name: of_runs for name, of_runs in values.items() if len(set(of_runs)) > 1}
