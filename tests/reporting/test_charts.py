"""Small charts: axes hold all values, ticks are round, labels keep out of each other's way."""

from xml.etree import ElementTree

import pytest

from potstill.reporting.charts import HEIGHT, SHAPES, WIDTH, Chart, linear, logarithmic
from potstill.reporting.scatter import Point, find_front


@pytest.mark.parametrize("values", [[83.2, 89.9], [50], [0, 0], [-3, 1000], [0.001, 0.002]])
def test_an_even_axis_holds_all_values_between_round_ticks(values: list[float]) -> None:
    axis = linear("x", values)
    assert axis.low <= min(values) and axis.high >= max(values)
    assert 2 <= len(axis.ticks) <= 9 and axis.ticks[0] == axis.low and axis.ticks[-1] == pytest.approx(axis.high)


@pytest.mark.parametrize("values", [[0.16, 7.5], [3.0], [0.001, 900.0]])
def test_a_logarithmic_axis_holds_all_values_and_has_ticks(values: list[float]) -> None:
    axis = logarithmic("x", values)
    assert axis.low < min(values) and axis.high > max(values)
    assert 1 <= len(axis.ticks) <= 12 and all(axis.low <= tick <= axis.high for tick in axis.ticks)
    assert 0 < axis.place(min(values)) <= axis.place(max(values)) < 1


def drawn(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(chart.svg("A <chart>"))


def labels(chart: Chart) -> list[tuple[float, float]]:
    texts = [text for text in drawn(chart).findall("{*}text") if text.get("class") == "label"]
    return [(float(text.get("x", "")), float(text.get("y", ""))) for text in texts]


def test_labels_of_marks_in_one_place_are_apart_and_inside() -> None:
    chart = Chart(linear("x", [0, 1]), linear("y", [0, 1]))
    for _ in range(3):
        chart.mark((0.9, 0.9), "student")
    for name in ("one", "another", "a third"):
        chart.label((0.9, 0.9), name)
    places = labels(chart)
    assert len(set(places)) == 3
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in places)


def test_every_shape_can_be_drawn_and_all_text_is_escaped() -> None:
    chart = Chart(linear("x <", [0, 1]), linear("y &", [0, 1]))
    for shape in SHAPES:
        chart.mark((0.5, 0.5), "student", shape)
    chart.label((0.5, 0.5), "<b>")
    root = drawn(chart)
    assert len([element for element in root if "mark" in element.get("class", "")]) == len(SHAPES)
    assert root.findtext("{*}title") == "A <chart>" and root.get("role") == "img"
    assert {"<b>", "x <", "y &"} <= {text.text for text in root.findall("{*}text")}


def test_the_front_leaves_out_who_is_neither_faster_nor_more_accurate() -> None:
    points = [Point("slow", 9, 90), Point("fast", 1, 80), Point("beaten", 9.5, 90), Point("even", 1, 79)]
    assert [point.name for point in find_front(points)] == ["fast", "slow"]
