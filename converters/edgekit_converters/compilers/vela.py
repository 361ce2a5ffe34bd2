"""Arm's Vela for the NPUs Ethos-U55, -U65 and -U85: TFLite in, TFLite with the NPU's command streams out.

Vela is a package (``ethos-u-vela``) with a command. Its estimates come in two CSV files, its reasons as warnings on its output.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgekit.artifact import written_whole
from edgekit.compilation import Compiled, CompiledOp, CompileOptions, CompilerFigure
from edgekit.errors import CompilerError
from edgekit.protocols import Availability, Progress
from edgekit_converters.compilers.tflite_placement import placed
from edgekit_converters.compilers.tool import find_tool, last_words, run_tool

DEFAULT = "ethos-u55-128"
INSTALL = "Install it with: pip install 'edgekit-ml[vela]'"


class VelaCompiler:
    """Compiler ``vela``. Settings are Vela's own options: ``memory-mode``, ``system-config``, ``config``, ``optimise``."""

    name = "vela"
    formats = ("tflite",)
    suffix = ".vela.tflite"

    def probe(self) -> Availability:
        tool = find_tool("vela")
        if tool is None:
            return Availability(False, reason="the command vela is not installed", remedy=INSTALL)
        try:
            version = last_words(run_tool([tool, "--version"], seconds=60))
            usage = run_tool([tool, "--help"], seconds=60)
        except CompilerError as error:
            return Availability(False, reason=str(error), remedy=INSTALL)
        return Availability(True, version, accelerators=_accelerators(usage))

    def compile(self, path: Path, target: Path, options: CompileOptions, progress: Progress) -> Compiled:
        availability = self.probe()
        accelerator = options.accelerator or DEFAULT
        if availability.accelerators and accelerator not in availability.accelerators:
            known = ", ".join(availability.accelerators)
            raise CompilerError(f"vela {availability.version} knows no accelerator {accelerator!r}; it knows {known}")
        with tempfile.TemporaryDirectory(prefix="edgekit-") as scratch:
            folder = Path(scratch)
            said = run_tool(_command(path, folder, accelerator, options.settings))
            made = folder / f"{path.stem}_vela.tflite"
            if not made.is_file():
                raise CompilerError(f"vela wrote no file: {last_words(said)}")
            placement = placed(path, made, device="Ethos-U", reasons=_reasons(said))
            figures = tuple(_figures(folder, accelerator))
            costs = tuple(_costs(folder))
            with written_whole(target) as part:
                part.write_bytes(made.read_bytes())
        return Compiled(
            target, availability.version, accelerator, "Ethos-U", placement, figures, costs, tuple(_notes(said))
        )


def _command(path: Path, folder: Path, accelerator: str, settings: Mapping[str, str]) -> list[str | Path]:
    tool = find_tool("vela")
    assert tool is not None
    words: list[str | Path] = [tool, path.resolve(), "--output-dir", folder, "--accelerator-config", accelerator]
    words += ["--verbose-performance"]
    for name, value in settings.items():
        words += [f"--{name}", value]
    return words


def _accelerators(usage: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.findall(r"ethos-u\d+-\d+", usage)))


def _reasons(said: str) -> dict[tuple[str, str], str]:
    """Why an op was left to the CPU, by its type and its output: Vela's warning, its details in the same sentence.

    ::

        Warning (supported operators) operator: SOFTMAX, ofm: 'digit'
        Reason: Operation has tensor with unsupported DataType Float32 (digit_out/float)
        Feature-map dataTypes must be one of {"INT16", "INT32", "INT64", "INT8", "UINT8"}
    """
    found: dict[tuple[str, str], str] = {}
    for block in re.split(r"\n\s*\n", said):
        head = re.search(r"operator: (\w+), ofm: '(.*)'\s*\nReason: (.*(?:\n.+)*)", block)
        if head:
            found[head[1], head[2]] = "; ".join(line.strip() for line in head[3].splitlines())
    return found


def _figures(folder: Path, accelerator: str) -> Iterator[CompilerFigure]:
    """From the summary; nothing where the NPU got nothing to do."""
    summary = next(iter(folder.glob("*_summary_*.csv")), None)
    if summary is None:
        return
    (row,) = list(csv.DictReader(summary.open(encoding="utf-8", newline="")))[:1]
    cycles, macs = float(row["cycles_total"]), float(row["nn_macs"])
    if not cycles:
        return
    yield CompilerFigure("NPU cycles of an inference", cycles, "cycles")
    yield CompilerFigure(
        f"time of these at {float(row['core_clock']) / 1e6:g} MHz", 1e3 * float(row["inference_time"]), "ms"
    )
    for name, key in (("NPU", "cycles_npu"), ("SRAM", "cycles_sram_access"), ("DRAM", "cycles_dram_access")):
        yield CompilerFigure(f"cycles in which the {name} is busy", float(row[key]), "cycles")
    yield CompilerFigure(
        "cycles in which the flash is busy",
        float(row["cycles_on_chip_flash_access"]) + float(row["cycles_off_chip_flash_access"]),
        "cycles",
    )
    yield CompilerFigure("multiply-accumulates on the NPU", macs, "MACs")
    yield CompilerFigure("multipliers busy", 100 * macs / (cycles * int(accelerator.rsplit("-", 1)[1])), "%")
    memories = {"SRAM": "sram", "DRAM": "dram", "on-chip flash": "on_chip_flash", "off-chip flash": "off_chip_flash"}
    for name, key in memories.items():
        if used := float(row[f"{key}_memory_used"]):
            yield CompilerFigure(f"{name} used", 1024 * used, "bytes")


def _costs(folder: Path) -> Iterator[CompiledOp]:
    """From the table of layers: what Vela made of the source's ops, in order."""
    layers = next(iter(folder.glob("*_per-layer.csv")), None)
    if layers is None:
        return
    for row in csv.DictReader(layers.open(encoding="utf-8", newline="")):
        if row.get("Target", "NPU") == "NPU":
            yield CompiledOp(
                name=row["Name"],
                op=row["NNG Operator"],
                cycles=round(float(row["Op Cycles"])),
                macs=round(float(row["MAC Count"])),
                utilization=float(row["Util% (MAC)"]) / 100,
            )


def _notes(said: str) -> Iterator[str]:
    """What Vela assumed because it was not told."""
    for what in ("system configuration", "memory mode"):
        assumed = re.search(rf"No {what} specified. Using a default of (\S+)\. ", said)
        if assumed:
            option = what.replace(" ", "-").replace("configuration", "config")
            yield f"estimated for Vela's default {what}, {assumed[1]}: name yours with --option {option}=NAME"
