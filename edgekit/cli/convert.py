"""``edgekit convert``: from a trained model to checked files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.cli.parameters import MILLISECONDS, POINTS, PRUNE_GOAL, SIZE, STATE
from edgekit.cli.shared_options import (
    delegate_option,
    device_option,
    gate_options,
    gates_from,
    preprocess_from,
    preprocess_options,
    reading_options,
    recipe_option,
    together,
)

if TYPE_CHECKING:
    from edgekit.artifact import State
    from edgekit.devices.address import Address
    from edgekit.gates import FallbackLimit
    from edgekit.pipeline import Request
    from edgekit.protocols import Delegate
    from edgekit.pruning import Pruning
    from edgekit.recipe import Recipe
    from edgekit.target import Target

Value = TypeVar("Value")

FORMATS = ("tflite", "onnx")


_quantizing = together(
    click.option("--precision", metavar="P", help="int8, int8-dynamic, float16 or float32. [default: int8]"),
    click.option("--effort", metavar="E", help="plain or standard: work put into int8 accuracy. [default: standard]"),
    click.option(
        "--observer", metavar="O", help="min-max, moving-average, percentile, entropy or mse. [default: the effort's]"
    ),
    click.option(
        "--prefer", metavar="P", help="speed or size, where layers have a fast and a small form. [default: speed]"
    ),
    click.option("--io", metavar="TYPE", help="Type of inputs and outputs: float32, int8 or uint8. [default: float32]"),
    click.option(
        "--integer-only", is_flag=True, help="No float operator in the file, for processors without a float unit."
    ),
    click.option(
        "--keep-float", metavar="SCOPE", multiple=True, help="Nodes to keep float, as in 'head/*'. Repeatable."
    ),
    click.option(
        "--sparsify",
        metavar="ZEROS",
        help="Zeros among the weights: 50%, 2:4 or block=1x4:70%. Needs samples. [default: none]",
    ),
    click.option(
        "--state",
        "states",
        metavar="INPUT=OUTPUT",
        type=STATE,
        multiple=True,
        help="INPUT takes what OUTPUT gave in the call before; none: no states. Repeatable. [default: told by the names]",
    ),
    recipe_option,
    click.option("--target", "target_name", metavar="NAME", default="cpu", show_default=True, help="Device profile."),
)

_pruning = together(
    click.option(
        "--prune",
        "prune_goal",
        metavar="GOAL",
        type=PRUNE_GOAL,
        help="Remove channels, heads and units first: 30% (of the multiply-accumulates), units=50% (of each layer's), "
        "latency=10ms or size=500KB.",
    ),
    click.option(
        "--importance", metavar="I", help="magnitude, activation, taylor or second-order. [default: second-order]"
    ),
    click.option("--force", is_flag=True, help="Prune on where the samples show that the network breaks down."),
)

_samples = together(
    click.option(
        "--calibrate", metavar="SAMPLES", help="Sample inputs (.npz, .npy, .csv, .txt, folder, module:function)."
    ),
    click.option(
        "--evaluate", metavar="SAMPLES", help="Samples to check the files on. [default: those of --calibrate]"
    ),
    click.option("--metric", metavar="M", help="top1, top5, mse, mae, auc, cosine, ... or module:function."),
    click.option("--labels", metavar="WHERE", help="column:NAME, file:PATH, prefix, folder ... (docs/samples.md)."),
)

_limits = together(
    click.option("--limit-drop", type=POINTS, help="Largest loss of the metric, in points (0.5); pruning stops there."),
    click.option("--limit-latency", type=MILLISECONDS, help="Largest median latency of a file (10ms)."),
    click.option("--limit-size", type=SIZE, help="Largest file (500KB)."),
    click.option("--limit-memory", type=SIZE, help="Largest peak memory of a file's process (100MB)."),
    gate_options,
)


@command(example="edgekit convert examples/digits/digits_cnn.keras --calibrate examples/digits/calibrate.npz -o out/")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for the files.")
@click.option("--to", "formats", type=click.Choice(FORMATS), multiple=True, help="Format to write. [default: both]")
@_samples
@_quantizing
@_pruning
@preprocess_options
@_limits
@reading_options
@click.option("--example", type=click.Path(path_type=Path), help=".npz with example inputs (PyTorch).")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads when timing.")
@click.option("--report", "html", type=click.Path(path_type=Path), help="Also write an HTML report.")
@delegate_option
@device_option
@click.option("--resume", is_flag=True, help="Go on with the checks on a device that was lost in the middle of them.")
@click.option("--dry-run", is_flag=True, help="Only show what each node would do; read no samples, write nothing.")
@click.option("--checks/--no-checks", default=True, help="Run, compare and time the files. [default: checks]")
def convert(console: Console, model: Path, out: Path, html: Path | None, dry_run: bool, **options: Any) -> int:
    """Convert a model to int8 TFLite and ONNX files and check them.

    Writes OUT/<stem>.int8.tflite, OUT/<stem>.int8.onnx, a manifest beside each, and OUT/report.json. Ends with 0 when every
    file was made and is within its limits, with 1 when one is not.
    """
    from edgekit import pipeline

    request = _request(model, out, **options)
    if dry_run:
        from edgekit.dry_run import dry_run as plan_only

        console.show(plan_only(request, console.progress))
        return 0
    report = pipeline.convert(request, console.progress)
    if html is not None:
        pipeline.write_html(report, html)
    console.show(report)
    return report.exit_code


def _request(
    model: Path,
    out: Path,
    *,
    formats: Sequence[str],
    source: str | None,
    input_shapes: Sequence[tuple[str, tuple[int, ...]]],
    input_values: Sequence[tuple[str, float]],
    factory: str | None,
    example: Path | None,
    trust_source: bool,
    target_name: str,
    calibrate: str | None,
    evaluate: str | None,
    metric: str | None,
    labels: str | None,
    threads: int,
    checks: bool,
    require_delegate: Sequence[str],
    limit_fallback: FallbackLimit | None,
    delegates: tuple[Delegate, ...],
    device: Address | None,
    resume: bool,
    **recipe_options: Any,
) -> Request:
    from edgekit.pipeline import Request
    from edgekit.protocols import ReadOptions
    from edgekit.target import load_target

    target = load_target(target_name)
    recipe = _recipe(**recipe_options)
    if recipe_options["io"] is None and recipe_options["recipe_file"] is None:
        recipe = dataclasses.replace(recipe, io=target.io)
    return Request(
        model=model,
        out=out,
        recipe=recipe,
        target=target,
        formats=tuple(dict.fromkeys(formats)) or _formats(target, recipe),
        source=source,
        read=ReadOptions(dict(input_shapes), factory, example, trust_source, dict(input_values)),
        calibrate=calibrate,
        evaluate=evaluate,
        metric=metric,
        labels=labels,
        threads=threads,
        checks=checks,
        address=device,
        delegates=delegates,
        gates=gates_from(require_delegate, limit_fallback),
        resume=resume,
    )


def _formats(target: Target, recipe: Recipe) -> tuple[str, ...]:
    """What is written unless --to says otherwise: every format of the target that can hold the recipe."""
    return tuple(name for name in target.formats if name != "onnx" or not recipe.integer_only)


def _recipe(
    *,
    recipe_file: Path | None,
    precision: str | None,
    effort: str | None,
    observer: str | None,
    prefer: str | None,
    sparsify: str | None,
    io: str | None,
    integer_only: bool,
    keep_float: Sequence[str],
    states: Sequence[tuple[str, str]],
    limit_drop: float | None,
    limit_latency: float | None,
    limit_size: int | None,
    limit_memory: int | None,
    prune_goal: dict[str, float] | None,
    importance: str | None,
    force: bool,
    **preprocess: Any,
) -> Recipe:
    """The recipe file's entries with the command line's options laid over them."""
    from edgekit.recipe import Budgets, Precision, Recipe, Rule, load_recipe, recipe_from_dict

    base = load_recipe(recipe_file) if recipe_file else Recipe()
    given = {"precision": precision, "effort": effort, "observer": observer, "prefer": prefer, "io": io}
    given["sparsify"] = sparsify
    chosen = {name: value for name, value in given.items() if value is not None}
    parsed = recipe_from_dict(chosen, "the command line")
    budgets = base.budgets
    return dataclasses.replace(
        base,
        **{name: getattr(parsed, name) for name in chosen},
        integer_only=integer_only or base.integer_only,
        preprocess=preprocess_from(base.preprocess, **preprocess),
        states=_states(states) if states else base.states,
        prune=_pruned(base.prune, prune_goal, importance, force),
        rules=base.rules + tuple(Rule(scope, Precision.FLOAT32) for scope in keep_float),
        budgets=Budgets(
            drop_points=_first(limit_drop, budgets.drop_points),
            latency_ms=_first(limit_latency, budgets.latency_ms),
            size_bytes=_first(limit_size, budgets.size_bytes),
            memory_bytes=_first(limit_memory, budgets.memory_bytes),
        ),
    )


def _pruned(base: Pruning | None, goal: dict[str, float] | None, importance: str | None, force: bool) -> Pruning | None:
    """The recipe's pruning with the command line's options laid over it; a goal replaces the recipe's."""
    from edgekit.errors import UsageError
    from edgekit.recipe import recipe_from_dict

    if base is None and goal is None:
        if importance is not None or force:
            raise UsageError("--importance and --force are about pruning; give --prune too")
        return None
    chosen = {} if importance is None else {"importance": importance}
    parsed = recipe_from_dict({"prune": {**(goal or {"macs": 0.5}), **chosen}}, "the command line").prune
    assert parsed is not None
    if base is None:
        return dataclasses.replace(parsed, force=force)
    if goal is not None:
        goals = {name: getattr(parsed, name) for name in ("macs", "units", "latency_ms", "size_bytes")}
        base = dataclasses.replace(base, **goals)
    if importance is not None:
        base = dataclasses.replace(base, importance=parsed.importance)
    return dataclasses.replace(base, force=force or base.force)


def _states(given: Sequence[tuple[str, str]]) -> tuple[State, ...]:
    from edgekit.artifact import State

    return tuple(State(*pair) for pair in given if pair != ("", ""))


def _first(option: Value | None, entry: Value | None) -> Value | None:
    """The command line's value, or the recipe's."""
    return entry if option is None else option
