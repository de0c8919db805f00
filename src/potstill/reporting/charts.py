"""Small charts as SVG text: axes, grid, lines, marks and labels that keep out of each other's way. Pure.

Colours come from whoever shows the chart, by class: ``grid``, ``axis``, ``label``, ``line`` and ``mark``, and what the
caller adds; of lines that are to be distinguished ``series0`` to ``series5``.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 480, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 34, 46  # around the plot
_FONT = 13
_MARK, _DOT = 5.5, 3.0  # half of a mark's width
N_SERIES = 6  # line styles there are
SHAPES = ("circle", "square", "triangle", "diamond")
_FORMS = {  # drawn from the middle of the upper edge
    "square": f"h{_MARK}v{2 * _MARK}h{-2 * _MARK}v{-2 * _MARK}z",
    "triangle": f"l{_MARK} {2 * _MARK}h{-2 * _MARK}z",
    "diamond": f"l{_MARK} {_MARK}l{-_MARK} {_MARK}l{-_MARK} {-_MARK}z",
}


@dataclass(frozen=True)
class Axis:
    """From the lowest to the highest value, with the ticks between."""

    title: str
    low: float
    high: float
    ticks: list[float]
    is_log: bool = False

    def place(self, value: float) -> float:
        """Where a value lies, from 0 at the lowest to 1 at the highest."""
        low, high, value = (math.log(number) if self.is_log else number for number in (self.low, self.high, value))
        return (value - low) / (high - low)


def linear(title: str, values: Sequence[float]) -> Axis:
    """An axis of even steps of 1, 2 or 5 that reaches a little over all values."""
    low, high = min(values), max(values)
    span = max(high - low, 1e-9 + abs(high) / 100)
    step = next(step for step in _round_numbers(span / 8) if step >= span / 6)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    return Axis(title, first * step, last * step, [round(number * step, 10) for number in range(first, last + 1)])


def logarithmic(title: str, values: Sequence[float]) -> Axis:
    """A logarithmic axis with ticks at 1, 2 and 5 of each decade; the values must be positive."""
    low, high = min(values) / 1.6, max(values) * 1.6
    ticks = [tick for tick in _round_numbers(low / 10) if low <= tick <= high] if high / low < 2000 else []
    decades = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    return Axis(title, low, high, ticks or [10.0**decade for decade in decades], is_log=True)


def _round_numbers(start: float) -> list[float]:
    """1, 2 and 5 of the decades from that of ``start`` on."""
    first = math.floor(math.log10(start))
    return [digit * 10.0**decade for decade in range(first, first + 6) for digit in (1, 2, 5)]


class Chart:
    """A chart under construction; the methods that draw give nothing back, :meth:`svg` all of it."""

    def __init__(self, x: Axis, y: Axis) -> None:
        self._x, self._y = x, y
        self._parts: list[str] = []
        self._labels: list[str] = []
        self._marks: list[str] = []  # over the labels, whose halo hides what is behind them
        self._boxes: list[tuple[float, float, float, float]] = []  # boxes: left, top, right, bottom
        self._draw_axes()

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + self._x.place(x) * (WIDTH - _LEFT - _RIGHT),
            HEIGHT - _BOTTOM - self._y.place(y) * (HEIGHT - _TOP - _BOTTOM),
        )

    def _draw_axes(self) -> None:
        left, bottom = self._at(self._x.low, self._y.low)
        right, top = self._at(self._x.high, self._y.high)
        for tick in self._y.ticks:
            _, y = self._at(self._x.low, tick)
            self._parts.append(f"<path class='grid' d='M{left:.1f} {y:.1f}H{right:.1f}'/>")
            self._parts.append(_text(left - 8, y + 4, f"{tick:g}", "end", "axis"))
        for tick in self._x.ticks:
            x, _ = self._at(tick, self._y.low)
            self._parts.append(f"<path class='grid' d='M{x:.1f} {top:.1f}V{bottom:.1f}'/>")
            self._parts.append(_text(x, bottom + 18, f"{tick:g}", "middle", "axis"))
        self._parts.append(_text(left, _TOP - 16, self._y.title, "start", "axis"))
        self._parts.append(_text(right, HEIGHT - 8, self._x.title, "end", "axis"))

    def line(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """Draw a line through points."""
        path = "L".join("{:.1f} {:.1f}".format(*self._at(*point)) for point in points)
        self._parts.append(f"<path class='line {style}' d='M{path}'/>")

    def steps(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """Draw a line that keeps each point's height up to the next one, and the last one's to the edge."""
        ends = [*(x for x, _ in points[1:]), self._x.high]
        corners = [corner for (x, y), end in zip(points, ends, strict=True) for corner in ((x, y), (end, y))]
        self.line(corners, style)

    def level(self, height: float, style: str) -> None:
        """Draw a line across the plot."""
        self.line([(self._x.low, height), (self._x.high, height)], style)

    def mark(self, point: tuple[float, float], style: str, shape: str = "circle") -> None:
        """Draw a mark."""
        x, y = self._at(*point)
        self._boxes.append((x - _MARK, y - _MARK, x + _MARK, y + _MARK))
        if shape == "circle":
            self._marks.append(f"<circle class='mark {style}' cx='{x:.1f}' cy='{y:.1f}' r='{_MARK}'/>")
        else:
            self._marks.append(f"<path class='mark {style}' d='M{x:.1f} {y - _MARK:.1f}{_FORMS[shape]}'/>")

    def dot(self, point: tuple[float, float], style: str) -> None:
        """Draw a small mark, such as on a line."""
        x, y = self._at(*point)
        self._marks.append(f"<circle class='mark {style}' cx='{x:.1f}' cy='{y:.1f}' r='{_DOT}'/>")

    def label(self, point: tuple[float, float], text: str) -> None:
        """Write next to a point, on the side where most room is left. Draw all marks first."""
        x, y = self._at(*point)
        width = sum(_FONT * (1 if unicodedata.east_asian_width(sign) in "WF" else 0.56) for sign in text)
        gap = _MARK + 4
        sides = [(gap, "start", gap), (-gap, "end", -gap - width), (0, "middle", -width / 2)]
        places = [  # first next to the mark, then above and below it
            (x + shift, y + down, anchor, x + left)
            for down in (4, -gap, gap + 10)
            for shift, anchor, left in sides
            if down != 4 or anchor != "middle"
        ]
        boxes = [(left, down - 11, left + width, down + 3) for _, down, _, left in places]
        best = min(range(len(places)), key=lambda place: self._hidden(boxes[place]))
        self._boxes.append(boxes[best])
        across, down, anchor, _ = places[best]
        self._labels.append(_text(across, down, text, anchor, "label"))

    def _hidden(self, box: tuple[float, float, float, float]) -> float:
        """How much of a box lies on others or outside the plot, in square units."""
        inside = _overlap(box, (2, _TOP - 10, WIDTH - 2, HEIGHT - _BOTTOM))
        return sum(_overlap(box, other) for other in self._boxes) + 10 * (_overlap(box, box) - inside)

    def svg(self, title: str) -> str:
        """The chart as an SVG element."""
        head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' font-size='{_FONT}'>"
        return "\n".join([head, f"<title>{escape(title)}</title>", *self._parts, *self._labels, *self._marks, "</svg>"])


def _text(x: float, y: float, text: str, anchor: str, style: str) -> str:
    return f"<text class='{style}' x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'>{escape(text)}</text>"


def _overlap(box: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(0.0, width) * max(0.0, height)
