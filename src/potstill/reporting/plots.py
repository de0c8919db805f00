"""The charts of a report: its models, its trainings, its cascades. Pure: figures in, SVG text out."""

from collections.abc import Sequence

from potstill.evaluation.results import Evaluation
from potstill.reporting.charts import N_SERIES, Chart, linear
from potstill.reporting.run import RunReport
from potstill.reporting.scatter import Point, draw_scatter

_LEVEL, _TAUGHT = "teacher", "taught"  # the teacher at its best, and on its way there


def draw_models(runs: Sequence[RunReport]) -> str:
    """Accuracy, or what heads the table instead, against latency of all models of all runs."""
    headline = runs[0].evaluation.headline  # all tasks have it: accuracy or macro F1
    points = [
        Point(score.name, score.p50_ms, 100 * (headline.of(score) or 0.0), score.role, group)
        for group, run in enumerate(runs)
        for score in run.evaluation.scores
        if score.p50_ms  # of a black box it may not be known
    ]
    return draw_scatter(points, headline.title)


def training_lines(run: RunReport) -> list[tuple[str, str]]:
    """The lines of :func:`draw_training`: names and classes."""
    return [("the teacher at its best", _LEVEL), *((name, style) for name, style, _ in _curves(run))]


def draw_training(run: RunReport) -> str:
    """Each model's accuracy on valid, or what heads the table instead, after so many epochs, and the teacher's at its
    best as a level line.
    """
    headline = run.evaluation.headline
    level = 100 * run.evaluation.teacher.valid[headline.field]
    curves = _curves(run)
    points = [point for _, _, curve in curves for point in curve]
    chart = Chart(
        linear("epochs, each of the model's own training set", [0, *(epoch for epoch, _ in points)]),
        linear(f"{headline.title} on valid, percent", [level, *(accuracy for _, accuracy in points)]),
    )
    chart.level(level, _LEVEL)
    for _, style, curve in curves:
        _draw_line(chart, curve, style)
    return chart.svg(f"{run.name}: {headline.title} on valid during training")


def _curves(run: RunReport) -> list[tuple[str, str, list[tuple[float, float]]]]:
    """Name, class and points in percent of each training that the run did."""
    return [
        (
            curve.score.name,
            _series(number - 1) if number else _TAUGHT,
            [(epoch, 100 * accuracy) for epoch, accuracy in curve.points],
        )
        for number, curve in enumerate(run.curves)
        if curve.points
    ]


def cascade_lines(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The lines of :func:`draw_cascades`: names and classes."""
    students = [(score.name, _series(number)) for number, score in enumerate(evaluation.students)]
    return [("the teacher alone", _LEVEL), *students]


def draw_cascades(name: str, evaluation: Evaluation) -> str:
    """What sending texts to the teacher gives, from none to all of them.

    :param name: of the run.
    """
    teacher = 100 * evaluation.teacher.accuracy
    lines = [
        [
            (0.0, 100 * score.accuracy),
            *((100 * cascade.share, 100 * cascade.accuracy) for cascade in score.cascades),
            (100.0, teacher),
        ]
        for score in evaluation.students
    ]
    chart = Chart(
        linear("percent of texts that go to the teacher", [0, 100]),
        linear(f"{evaluation.accuracy_name} on test, percent", [accuracy for line in lines for _, accuracy in line]),
    )
    chart.level(teacher, _LEVEL)
    for number, line in enumerate(lines):
        _draw_line(chart, line, _series(number))
    return chart.svg(f"{name}: {evaluation.accuracy_name} of a cascade of student and teacher")


def risk_lines(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The lines of :func:`draw_risk`: names and classes."""
    students = [(score.name, _series(number)) for number, score in enumerate(evaluation.students)]
    return [("teacher", _TAUGHT), *students]


def draw_risk(name: str, evaluation: Evaluation) -> str:
    """The share of wrong answers where only so many texts get one, the most confident first.

    :param name: of the run.
    """
    scores = [evaluation.teacher, *evaluation.students]
    lines = [[(100 * point.coverage, 100 * point.risk) for point in score.risk_coverage.points] for score in scores]
    chart = Chart(
        linear("percent of test's texts that get an answer", [0, 100]),
        linear("percent of these answers that are wrong", [0, *(risk for line in lines for _, risk in line)]),
    )
    for line, (_, style) in zip(lines, risk_lines(evaluation), strict=True):
        if len(line) > 1:
            chart.line(line, style)
        else:
            chart.dot(line[0], style)
    return chart.svg(f"{name}: wrong answers by how many texts get one")


def _draw_line(chart: Chart, points: Sequence[tuple[float, float]], style: str) -> None:
    if len(points) > 1:
        chart.line(points, style)
    for point in points:
        chart.dot(point, style)


def _series(number: int) -> str:
    return f"series{number % N_SERIES}"
