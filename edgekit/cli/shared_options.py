"""Options that several commands have: how a model is read, and how pictures and recordings become its input."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgekit.cli.parameters import DELEGATE, FALLBACK_LIMIT, NAMED_NUMBER, SHAPE

if TYPE_CHECKING:
    from edgekit.devices.address import Address
    from edgekit.gates import FallbackLimit, PlacementGates
    from edgekit.recipe import Preprocess

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def together(*decorators: Callable[[Any], Any]) -> Callable[[Decorated], Decorated]:
    """Several click options as one decorator, in reading order."""

    def decorate(function: Decorated) -> Decorated:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


device_option = click.option(
    "--device",
    metavar="DEVICE",
    callback=lambda ctx, parameter, value: _address(value),
    help="Where files run: ssh://user@host, emulated://BOARD, local or a name of edgekit devices. [default: here]",
)


def _address(text: str | None) -> Address | None:
    """Where the device is. Raises UnknownNameError."""
    if text is None:
        return None
    from edgekit.devices.inventory import find_address

    return find_address(text)


delegate_option = click.option(
    "--delegate",
    "delegates",
    metavar="NAME[:KEY=VALUE,...]",
    type=DELEGATE,
    multiple=True,
    help="Execution provider or delegate (openvino:device_type=CPU), or the library that brings it, by path. Repeatable, the "
    "preferred one first. [default: the runtime's CPU path]",
)

gate_options = together(
    click.option(
        "--require-delegate",
        metavar="NAME",
        multiple=True,
        help="End with 1 if this delegate takes no op of a file. Repeatable; --limit-fallback says how much must be taken.",
    ),
    click.option(
        "--limit-fallback",
        type=FALLBACK_LIMIT,
        metavar="SHARE",
        help="The most that delegates may leave to the CPU: 0% or 5% of the multiply-accumulates, or 3ops.",
    ),
)


def gates_from(require_delegate: Sequence[str], limit_fallback: FallbackLimit | None) -> PlacementGates:
    """What `gate_options` ask for."""
    from edgekit.gates import PlacementGates

    return PlacementGates(tuple(require_delegate), limit_fallback)


reading_options = together(
    click.option("--from", "source", metavar="NAME", help="Framework of MODEL. [default: told by the file]"),
    click.option(
        "--input-shape",
        "input_shapes",
        type=SHAPE,
        multiple=True,
        help="Shape of an input, as in input=1x3x224x224, or 1,3,224,224 for the only one. Repeatable.",
    ),
    click.option(
        "--input-value",
        "input_values",
        metavar="NAME=NUMBER",
        type=NAMED_NUMBER,
        multiple=True,
        help="Make an input a constant, as in sr=16000. Repeatable.",
    ),
    click.option("--factory", metavar="MODULE:CALLABLE", help="Makes the PyTorch module whose state_dict MODEL is."),
    click.option("--trust-source", is_flag=True, help="Allow code stored in MODEL to run (pickled modules)."),
)

recipe_option = click.option(
    "--recipe", "recipe_file", type=click.Path(path_type=Path), help="TOML file; options win over it."
)

preprocess_options = together(
    click.option("--resize", metavar="HxW", help="Resize pictures to this height and width."),
    click.option("--crop", metavar="HOW", help="none (stretch) or center (resize the short side, cut the middle)."),
    click.option("--layout", metavar="L", help="NHWC or NCHW: the order in which MODEL takes pictures."),
    click.option("--channels", metavar="C", help="RGB, BGR or L (grey)."),
    click.option("--mean", metavar="M", help="Subtracted from pixels: 127, or 123.7,116.3,103.5."),
    click.option("--scale", metavar="S", help="Divides what is left: 128, or one number a channel."),
    click.option(
        "--sample-rate", type=click.IntRange(1), metavar="HZ", help="Resample recordings to this rate (16000)."
    ),
)


def preprocess_from(
    base: Preprocess | None,
    *,
    resize: str | None,
    crop: str | None,
    layout: str | None,
    channels: str | None,
    mean: str | None,
    scale: str | None,
    sample_rate: int | None,
) -> Preprocess | None:
    """The recipe's preprocessing with the options laid over it; None when neither says anything."""
    from edgekit.recipe import preprocess_from_dict

    words = {"crop": crop, "layout": layout, "channels": channels, "sample_rate": sample_rate}
    given: dict[str, Any] = {name: value for name, value in words.items() if value is not None}
    if resize is not None:
        given["resize"] = _numbers("--resize", resize, "x", int)
    given |= {
        name: _numbers(f"--{name}", value, ",", float)
        for name, value in (("mean", mean), ("scale", scale))
        if value is not None
    }
    if not given:
        return base
    return preprocess_from_dict((dataclasses.asdict(base) if base else {}) | given, "the command line")


def _numbers(option: str, text: str, separator: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    try:
        return tuple(kind(part) for part in text.split(separator))
    except ValueError:
        example = "224x224" if separator == "x" else "127.5 or 123.7,116.3,103.5"
        raise click.BadParameter(f"{text!r} is not understood; write {option} {example}.") from None
