"""``edgekit check``: is a file as good as another model?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.cli.parameters import DECIBELS, POINTS, SIZE
from edgekit.cli.shared_options import (
    delegate_option,
    device_option,
    gate_options,
    gates_from,
    preprocess_from,
    preprocess_options,
    reading_options,
    recipe_option,
)

if TYPE_CHECKING:
    from edgekit.devices.address import Address
    from edgekit.gates import FallbackLimit
    from edgekit.protocols import Delegate


@command(
    example="edgekit check out/digits_cnn.int8.tflite --against digits_cnn.keras --samples evaluate.npz --limit-drop 0.5"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--against",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    required=True,
    help="The model to compare with: any source model, or another .tflite or .onnx file.",
)
@click.option("--samples", required=True, help="Samples to run both on (.npz, .npy, .csv, folder, module:function).")
@click.option(
    "--metric", metavar="M", help="top1, top5, mse, auc, ... or module:function. [default: top1 with class labels]"
)
@click.option("--labels", metavar="WHERE", help="column:NAME, file:PATH, prefix, folder ... (docs/samples.md).")
@click.option("--limit", type=click.IntRange(1), help="Run at most that many samples.")
@click.option("--limit-drop", type=POINTS, help="Largest loss of the metric against MODEL, in points (0.5).")
@click.option("--limit-sqnr", type=DECIBELS, help="Smallest signal to noise ratio of the outputs (30dB).")
@click.option("--limit-arena", type=SIZE, help="Most memory that FILE may need in --runtime tflite_micro (64kB).")
@click.option("--runtime", metavar="NAME", help="Runtime for FILE. [default: the first installed one that opens it]")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of the runtime.")
@click.option(
    "--file-layout",
    type=click.Choice(["same", "NCHW", "NHWC"]),
    help="Order in which FILE takes pictures where MODEL takes the other. [default: told by the shapes]",
)
@gate_options
@delegate_option
@device_option
@reading_options
@recipe_option
@preprocess_options
def check(
    console: Console,
    file: Path,
    against: Path,
    samples: str,
    metric: str | None,
    labels: str | None,
    limit: int | None,
    limit_drop: float | None,
    limit_sqnr: float | None,
    limit_arena: int | None,
    runtime: str | None,
    threads: int,
    file_layout: str | None,
    require_delegate: Sequence[str],
    limit_fallback: FallbackLimit | None,
    delegates: tuple[Delegate, ...],
    device: Address | None,
    source: str | None,
    input_shapes: Sequence[tuple[str, tuple[int, ...]]],
    input_values: Sequence[tuple[str, float]],
    factory: str | None,
    trust_source: bool,
    recipe_file: Path | None,
    **preprocess: Any,
) -> int:
    """Measure a file's accuracy and agreement with another model.

    Ends with 0 when FILE is within the limits, with 1 when a limit is broken.
    """
    from edgekit import checking
    from edgekit.protocols import ReadOptions
    from edgekit.recipe import load_recipe

    request = checking.CheckRequest(
        file=file,
        against=against,
        samples=samples,
        metric=metric,
        labels=labels,
        limit=limit,
        runtime=runtime,
        threads=threads,
        source=source,
        read=ReadOptions(dict(input_shapes), factory, trust_source=trust_source, input_values=dict(input_values)),
        preprocess=preprocess_from(load_recipe(recipe_file).preprocess if recipe_file else None, **preprocess),
        file_layout=file_layout,
        limit_drop=limit_drop,
        limit_sqnr_db=limit_sqnr,
        limit_arena_bytes=limit_arena,
        device=device,
        delegates=delegates,
        gates=gates_from(require_delegate, limit_fallback),
    )
    report = checking.check(request, console.progress)
    console.show(report)
    return report.exit_code
