"""Text of the command line to typed values."""

from __future__ import annotations

import click
import pytest

from edgekit.cli.parameters import DECIBELS, MILLISECONDS, POINTS, SECONDS, SHAPE, SIZE


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (POINTS, "0.5", 0.5),
        (POINTS, "0.5%", 0.5),
        (POINTS, ".3", 0.3),
        (MILLISECONDS, "10", 10.0),
        (MILLISECONDS, "10ms", 10.0),
        (MILLISECONDS, "300us", 0.3),
        (MILLISECONDS, "1.5 s", 1500.0),
        (SECONDS, "2", 2.0),
        (SECONDS, "500ms", 0.5),
        (DECIBELS, "30dB", 30.0),
        (SIZE, "500", 500),
        (SIZE, "500KB", 500_000),
        (SIZE, "2MB", 2_000_000),
        (SIZE, "1.5MiB", 1_572_864),
        (SHAPE, "input=1x3x224x224", ("input", (1, 3, 224, 224))),
        (SHAPE, "1,3,224,224", ("", (1, 3, 224, 224))),
        (SHAPE, "serving_default_x:0=1,10", ("serving_default_x:0", (1, 10))),
        (SHAPE, "(1, 10)", ("", (1, 10))),
    ],
)
def test_text_becomes_a_value(kind: click.ParamType, text: str, value: object) -> None:
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (POINTS, "half", "write 0.5"),
        (POINTS, "-1", "not understood as points; write 0.5"),
        (MILLISECONDS, "10 parsecs", "units: ms, us"),
        (SIZE, "2 MBit", "write 500KB"),
        (SHAPE, "input=1x?x3", "write input=1x3x224x224"),
        (SHAPE, "1x0x3", "size below 1"),
        (SHAPE, "", "is not a shape"),
    ],
)
def test_a_wrong_text_says_what_to_write(kind: click.ParamType, text: str, says: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        kind.convert(text, None, None)
    assert says in caught.value.message
