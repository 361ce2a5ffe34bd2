"""NVIDIA's TensorRT by its command trtexec: ONNX in, an engine out that holds for this GPU and this version of TensorRT.

The scales are those of the file's QuantizeLinear and DequantizeLinear nodes. Written after trtexec's documentation.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.artifact import written_whole
from edgekit.compilation import Compiled, CompileOptions
from edgekit.errors import CompilerError
from edgekit.protocols import Availability, PlacedOp, Placement, Progress
from edgekit_converters.compilers.tool import find_tool, last_words, run_tool

INSTALL = (
    "It comes with TensorRT (JetPack has it in /usr/src/tensorrt/bin, which must be on the PATH): "
    "https://docs.nvidia.com/deeplearning/tensorrt/latest/installing-tensorrt/installing.html"
)
DEVICE = "TensorRT"


class TensorRtCompiler:
    """Compiler ``tensorrt``. Settings are trtexec's own options: ``memPoolSize``, ``minShapes``, ``builderOptimizationLevel``."""

    name = "tensorrt"
    formats = ("onnx",)
    suffix = ".engine"

    def probe(self) -> Availability:
        tool = find_tool("trtexec")
        if tool is None:
            return Availability(False, reason="the command trtexec is not installed", remedy=INSTALL)
        try:
            usage = run_tool([tool, "--help"], seconds=60)
        except CompilerError as error:
            return Availability(False, reason=str(error), remedy=INSTALL)
        version = re.search(r"TensorRT[ .]v?([0-9.]+)", usage)
        return Availability(True, version[1] if version else "")

    def compile(self, path: Path, target: Path, options: CompileOptions, progress: Progress) -> Compiled:
        if options.accelerator is not None:
            raise CompilerError(
                f"tensorrt builds for the GPU it runs on; there is no accelerator {options.accelerator!r}. Build on the board"
            )
        tool = find_tool("trtexec")
        assert tool is not None
        with tempfile.TemporaryDirectory(prefix="edgekit-") as scratch:
            engine, layers = Path(scratch) / "engine", Path(scratch) / "layers.json"
            said = run_tool([tool, *_words(path, engine, layers, options.settings)])
            if not engine.is_file():
                raise CompilerError(f"trtexec wrote no engine: {last_words(said)}")
            placement = _placement(layers)
            with written_whole(target) as part:
                part.write_bytes(engine.read_bytes())
        return Compiled(target, self.probe().version, "this GPU", DEVICE, placement, notes=(_ONLY_HERE,))


_ONLY_HERE = "the engine holds for this GPU and this version of TensorRT only: build it where it will run"


def _words(path: Path, engine: Path, layers: Path, settings: Mapping[str, str]) -> list[str]:
    fixed = [f"--onnx={path.resolve()}", f"--saveEngine={engine}", f"--exportLayerInfo={layers}"]
    fixed += ["--profilingVerbosity=detailed", "--skipInference", "--int8", "--fp16"]
    return fixed + [f"--{name}={value}" for name, value in settings.items()]


def _placement(layers: Path) -> Placement:
    """The engine's layers; all are TensorRT's, since a network that it can't hold whole is refused."""
    if not layers.is_file():
        return Placement((), notes=("trtexec told no layers",))
    found = json.loads(layers.read_text("utf-8")).get("Layers", [])
    return Placement(tuple(_layer(entry) for entry in found), partitions=1)


def _layer(entry: Mapping[str, Any] | str) -> PlacedOp:
    """With less verbosity a layer is its name alone."""
    if isinstance(entry, str):
        return PlacedOp(entry, "layer", DEVICE, "unknown", integer=False)
    types = [_type(entry.get(side, [])) for side in ("Inputs", "Outputs")]
    kind = str(entry.get("ParameterType") or entry.get("LayerType", "layer"))
    return PlacedOp(str(entry["Name"]), kind, DEVICE, " -> ".join(types), integer="int8" in types)


def _type(tensors: list[Mapping[str, Any]]) -> str:
    """numpy's name of the first tensor's type: "Int8 NC/32HW32" and "Four wide channel vectorized row major Int8 format"."""
    told = str(tensors[0].get("Format/Datatype", "")) if tensors else ""
    names = (("int8", "Int8"), ("float16", "FP16|Half"), ("float32", "FP32|Float"), ("int32", "Int32"))
    return next((name for name, pattern in names if re.search(pattern, told, re.IGNORECASE)), "unknown")
