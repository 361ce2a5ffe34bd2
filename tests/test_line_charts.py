"""Line charts as SVG."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.line_charts import HEIGHT, WIDTH, Line, line_chart


@given(st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=30))
def test_any_values_lie_inside_the_picture(values: list[float]) -> None:
    svg = line_chart([Line("a", list(enumerate(values)))], "t", "run", "ms")
    [line] = ElementTree.fromstring(svg).findall("polyline")
    places = [tuple(map(float, place.split(","))) for place in line.attrib["points"].split()]
    assert len(places) == len(values)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


def test_greater_values_stand_higher() -> None:
    svg = line_chart([Line("a", [(0, 1.0), (1, 2.0)])], "t", "x", "y")
    points = ElementTree.fromstring(svg).find("polyline")
    assert points is not None
    (_, low), (_, high) = [map(float, place.split(",")) for place in points.attrib["points"].split()]
    assert high < low


def test_the_axis_has_round_numbers() -> None:
    svg = line_chart([Line("a", [(0, 0.0), (1, 40.0)])], "t", "x", "y")
    numbers = [text.text for text in ElementTree.fromstring(svg).findall("text")]
    assert {"0", "10", "20", "30", "40"} <= set(numbers) or {"0", "20", "40"} <= set(numbers)


def test_labels_of_strangers_are_escaped() -> None:
    svg = line_chart([Line("<b>", [(0, 1)]), Line("c", [(0, 2)])], 'a "title"', "x", "y")
    assert "&lt;b&gt;" in svg
    ElementTree.fromstring(svg)


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_a_flat_line_is_drawn(value: float) -> None:
    svg = line_chart([Line("a", [(0, value), (1, value)])], "t", "x", "y")
    assert not any(math.isnan(float(line.attrib["y1"])) for line in ElementTree.fromstring(svg).findall("line"))
