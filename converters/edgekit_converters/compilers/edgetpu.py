"""Coral's Edge TPU compiler: integer TFLite in, TFLite with one op for the Edge TPU out.

Written after the compiler's documentation and published logs of its versions 14 to 16. It exists for x86-64 Linux only.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgekit.artifact import written_whole
from edgekit.compilation import Compiled, CompileOptions, CompilerFigure
from edgekit.errors import CompilerError
from edgekit.protocols import Availability, Progress
from edgekit_converters.compilers.tflite_placement import placed
from edgekit_converters.compilers.tool import find_tool, last_words, run_tool

INSTALL = "Install the package edgetpu-compiler from Coral's apt repository: https://coral.ai/docs/edgetpu/compiler/"
MAPPED = "Mapped to Edge TPU"


class EdgeTpuCompiler:
    """Compiler ``edgetpu``. Settings are its own options: ``min_runtime_version``, ``intermediate_tensors``, ``timeout_sec``."""

    name = "edgetpu"
    formats = ("tflite",)
    suffix = ".edgetpu.tflite"

    def probe(self) -> Availability:
        tool = find_tool("edgetpu_compiler")
        if tool is None:
            return Availability(False, reason="the command edgetpu_compiler is not installed", remedy=INSTALL)
        try:
            version = last_words(run_tool([tool, "--version"], seconds=60))
        except CompilerError as error:
            return Availability(False, reason=str(error), remedy=INSTALL)
        return Availability(True, version.rpartition(" ")[2])

    def compile(self, path: Path, target: Path, options: CompileOptions, progress: Progress) -> Compiled:
        if options.accelerator is not None:
            raise CompilerError(f"edgetpu compiles for one processor; there is no accelerator {options.accelerator!r}")
        tool = find_tool("edgetpu_compiler")
        assert tool is not None
        settings = [word for name, value in options.settings.items() for word in (f"--{name}", value)]
        with tempfile.TemporaryDirectory(prefix="edgekit-") as scratch:
            said = run_tool([tool, "--show_operations", "--out_dir", scratch, *settings, path.resolve()])
            made = Path(scratch) / f"{path.stem}_edgetpu.tflite"
            if not made.is_file():
                raise CompilerError(f"edgetpu_compiler wrote no file: {last_words(said)}")
            placement = placed(path, made, device="Edge TPU", reasons=_reasons(said))
            with written_whole(target) as part:
                part.write_bytes(made.read_bytes())
        version = self.probe().version
        return Compiled(target, version, "Edge TPU", "Edge TPU", placement, tuple(_figures(said)))


def _reasons(said: str) -> dict[tuple[str, str], str]:
    """Why ops of a type were left to the CPU, from the table whose columns are type, count and status."""
    rows = re.findall(r"^([A-Z][A-Z0-9_]*) +\d+ +(\S.*?)\s*$", said, re.MULTILINE)
    return {(op, ""): status for op, status in rows if status != MAPPED}


def _figures(said: str) -> Iterator[CompilerFigure]:
    for name, label in (
        ("on-chip memory for parameters", "On-chip memory used for caching model parameters"),
        ("on-chip memory left", "On-chip memory remaining for caching model parameters"),
        ("parameters streamed from outside", "Off-chip memory used for streaming uncached model parameters"),
    ):
        found = re.search(rf"{label}: ([0-9.]+)([KMG]?i?B)", said)
        if found:
            yield CompilerFigure(name, float(found[1]) * _FACTORS[found[2]], "bytes")
    subgraphs = re.search(r"Number of Edge TPU subgraphs: (\d+)", said)
    if subgraphs:
        yield CompilerFigure("subgraphs on the Edge TPU", float(subgraphs[1]), "")


_FACTORS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
