"""What every command has: --json, --quiet, --debug, and a help text that ends with an example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from edgekit.cli.console import Console

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _remember(setting: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    """An option callback that turns on a setting of the console, wherever the option stands."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            setattr(ctx.ensure_object(Console), setting, True)

    return callback


def quiet_option(function: Decorated) -> Decorated:
    return click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=_remember("quiet"), help="No progress, no notes."
    )(function)


def debug_option(function: Decorated) -> Decorated:
    return click.option(
        "--debug", is_flag=True, expose_value=False, callback=_remember("debug"), help="Show the traceback of an error."
    )(function)


def _json_option(function: Decorated) -> Decorated:
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_remember("json"),
        help="Print one JSON document on stdout.",
    )(function)


def command(
    *, example: str, json: bool = True, name: str | None = None
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function a command of edgekit; its first argument is the `Console`.

    ``example`` is a runnable command line that ends the help text. ``json=False`` leaves the --json option out. The
    function's own options are decorators below this one. It may return an exit code.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        with_console = click.pass_obj(function)
        options: Sequence[Callable[[Any], Any]] = [debug_option, quiet_option, *([_json_option] if json else [])]
        for option in options:
            with_console = option(with_console)
        made = click.command(name=name, epilog=f"\b\nExample: {example}")(with_console)
        # click prepends what is decorated later; the common options belong at the end of the help.
        made.params = [p for p in made.params if not _common(p)] + [p for p in made.params if _common(p)]
        return made

    return decorate


def _common(parameter: click.Parameter) -> bool:
    return parameter.name in ("json", "quiet", "debug")
