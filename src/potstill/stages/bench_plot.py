"""Accuracy against latency as an SVG picture: no library is worth one scatter plot. Pure: points in, text out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _MARGIN = 760, 440, 60
_STYLE = "font-family='sans-serif' font-size='13'"


@dataclass(frozen=True)
class Point:
    """One model: its name, milliseconds a text, accuracy in percent."""

    name: str
    ms: float
    accuracy: float


def draw_svg(points: Sequence[Point]) -> str:
    """The picture: milliseconds to the right on a logarithmic axis, accuracy upwards."""
    low, high = (edge([math.log10(point.ms) for point in points]) for edge in (min, max))
    decades = range(math.floor(low), max(math.ceil(high), math.floor(low) + 1) + 1)
    bottom, top = (edge([point.accuracy for point in points]) for edge in (min, max))
    bottom, top = math.floor(bottom) - 1, math.ceil(top) + 1

    def across(ms: float) -> float:
        share = (math.log10(ms) - decades[0]) / (decades[-1] - decades[0])
        return _MARGIN + share * (_WIDTH - 2 * _MARGIN)

    def up(accuracy: float) -> float:
        return _HEIGHT - _MARGIN - (accuracy - bottom) / (top - bottom) * (_HEIGHT - 2 * _MARGIN)

    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {_HEIGHT}' {_STYLE}>",
        "<title>Accuracy against milliseconds a text</title>",
        f"<rect width='{_WIDTH}' height='{_HEIGHT}' fill='white'/>",
    ]
    for decade in decades:
        x = across(10.0**decade)
        parts.append(_line(x, _MARGIN, x, _HEIGHT - _MARGIN) + _text(x, _HEIGHT - _MARGIN + 20, f"{10.0**decade:g}"))
    for accuracy in range(bottom, top + 1, max(1, (top - bottom) // 8)):
        y = up(accuracy)
        parts.append(_line(_MARGIN, y, _WIDTH - _MARGIN, y) + _text(_MARGIN - 20, y + 4, str(accuracy)))
    parts.append(_text(_WIDTH / 2, _HEIGHT - 15, "milliseconds a text, one thread"))
    parts.append(_text(_WIDTH / 2, 25, "accuracy on test, percent"))
    for point in points:
        x, y = across(point.ms), up(point.accuracy)
        parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='5' fill='#0b6e99'/>" + _text(x, y - 10, point.name))
    return "\n".join([*parts, "</svg>", ""])


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='#ddd'/>"


def _text(x: float, y: float, text: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='middle'>{escape(text)}</text>"
