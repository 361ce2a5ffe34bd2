"""``edgekit compile``: a file for a processor that has a compiler of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli.command import command
from edgekit.cli.console import Console
from edgekit.cli.parameters import SETTING
from edgekit.cli.shared_options import gate_options, gates_from

if TYPE_CHECKING:
    from edgekit.gates import FallbackLimit


@command(name="compile", example="edgekit compile out/model.int8.tflite --target ethos-u55 --limit-fallback 0%")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for what is made. [default: FILE's]")
@click.option("--target", "target_name", metavar="NAME", help="Device profile that names the compiler.")
@click.option(
    "--with", "compiler", metavar="NAME", help="vela, edgetpu, tensorrt or a plug-in's. [default: the target's]"
)
@click.option("--accelerator", metavar="NAME", help="What to compile for, as in ethos-u55-256. [default: the target's]")
@click.option(
    "--option",
    "settings",
    metavar="KEY=VALUE",
    type=SETTING,
    multiple=True,
    help="The compiler's own option, as in memory-mode=Sram_Only. Repeatable.",
)
@gate_options
def compile_command(
    console: Console,
    file: Path,
    out: Path | None,
    target_name: str | None,
    compiler: str | None,
    accelerator: str | None,
    settings: Sequence[tuple[str, str]],
    require_delegate: Sequence[str],
    limit_fallback: FallbackLimit | None,
) -> int:
    """Compile a .tflite or .onnx file for an NPU or GPU.

    Runs the vendor's own compiler (Vela for Ethos-U, the Edge TPU compiler, TensorRT's trtexec) where it is installed, and tells
    what it estimates, which ops it left to the CPU, and why. Ends with 1 when a limit is broken.
    """
    from edgekit.compilation import CompileOptions, CompileRequest, compile_file
    from edgekit.errors import UsageError
    from edgekit.target import load_target

    target = load_target(target_name) if target_name else None
    chosen = compiler or (target.compiler if target else "")
    if not chosen:
        raise UsageError(
            f"the target {target.name} needs no compiler: its runtime opens {file.name} as it is"
            if target
            else "name what to compile for: --target NAME (edgekit targets lists them) or --with vela, edgetpu or tensorrt"
        )
    for_target = target.accelerator if target and target.compiler == chosen else ""
    request = CompileRequest(
        file=file,
        compiler=chosen,
        out=out,
        options=CompileOptions(accelerator or for_target or None, dict(settings)),
        gates=gates_from(require_delegate, limit_fallback),
    )
    report = compile_file(request, console.progress)
    console.show(report)
    return report.exit_code
