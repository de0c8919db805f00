"""Accuracy against latency as an SVG picture: no library is worth one scatter plot. Pure: points in, text out."""

from collections.abc import Sequence
from dataclasses import dataclass

from potstill.reporting.charts import SHAPES, Chart, linear, logarithmic

_STYLE = """<style>
svg { background: #fff; font-family: sans-serif; }
.grid { stroke: #ddd; } .axis { fill: #666; } .label { fill: #222; }
.line { fill: none; stroke: #bbb; stroke-dasharray: 3 3; } .mark { fill: #0b6e99; }
</style>"""


@dataclass(frozen=True)
class Point:
    """One model: its name, milliseconds a text, accuracy in percent.

    :param style: the class of its mark, see :mod:`potstill.reporting.charts`.
    :param group: the number of the run that it belongs to, which its mark's shape tells.
    """

    name: str
    ms: float
    accuracy: float
    style: str = "student"
    group: int = 0


def draw_svg(points: Sequence[Point], measure: str) -> str:
    """The picture as a file of its own.

    :param measure: the figure that goes upwards.
    """
    head, _, rest = draw_scatter(points, measure).partition("\n")
    return "\n".join([head, _STYLE, rest, ""])


def draw_scatter(points: Sequence[Point], measure: str) -> str:
    """The picture: milliseconds to the right on a logarithmic axis, accuracy upwards, and the front of the best.

    :param measure: what accuracy is here.
    """
    chart = Chart(
        logarithmic("milliseconds a text, median, one thread", [point.ms for point in points]),
        linear(f"{measure} on test, percent", [point.accuracy for point in points]),
    )
    chart.steps([(point.ms, point.accuracy) for point in find_front(points)], "front")
    for point in points:
        chart.mark((point.ms, point.accuracy), point.style, SHAPES[point.group % len(SHAPES)])
    for point in points:
        chart.label((point.ms, point.accuracy), point.name)
    return chart.svg(f"{measure[0].upper()}{measure[1:]} against milliseconds a text")


def find_front(points: Sequence[Point]) -> list[Point]:
    """The points to which no other is both faster and at least as accurate, the fastest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.ms, -point.accuracy)):
        if not front or point.accuracy > front[-1].accuracy:
            front.append(point)
    return front
