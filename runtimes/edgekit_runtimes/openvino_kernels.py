"""The kernels that OpenVINO runs on a CPU, from what oneDNN, which holds them, prints of every one it executes.

OpenVINO's provider shows its part as one kernel and keeps the ones inside to itself. oneDNN decides on its first use in a process
whether it prints, so the model is run once more in a child.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import TensorSpec

if TYPE_CHECKING:
    from edgekit_runtimes.onnxruntime_providers import Provider

OPENVINO = "OpenVINOExecutionProvider"

_OPS = {
    "convolution": ("Conv",),
    "deconvolution": ("ConvTranspose",),
    "inner_product": ("Gemm", "MatMul"),
    "matmul": ("Gemm", "MatMul"),
    "pooling": ("AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool"),
    "softmax": ("Softmax",),
}
"""Operators of ONNX by oneDNN's primitive, for those where one becomes the other."""

_TYPES = {"u8": "uint8", "s8": "int8", "f32": "float32", "f16": "float16", "bf16": "bfloat16", "s32": "int32"}
_EXECUTED = re.compile(r"^onednn_verbose,(?:v1,)?(?:primitive,)?exec,cpu,(\w+),([^,]+),[^,]*,([^,]*),")
_MEMORY = r"\b{}:(\w+):"
_SECONDS = 120

_CHILD = """
import json, sys
import numpy, onnxruntime
path, name, options, feeds = json.loads(sys.argv[1])
settings = onnxruntime.SessionOptions()
settings.log_severity_level, settings.intra_op_num_threads = 4, 1
session = onnxruntime.InferenceSession(path, settings, providers=[(name, options), "CPUExecutionProvider"])
session.run(None, {name: numpy.zeros(shape, dtype) for name, shape, dtype in feeds})
"""


@dataclass(frozen=True, slots=True)
class Primitive:
    """``operand`` and ``result``: numpy's names of types. ``kernel``: oneDNN's name of the implementation."""

    kind: str
    kernel: str
    operand: str
    result: str


def executed(path: Path, provider: Provider, inputs: Sequence[TensorSpec]) -> tuple[Primitive, ...]:
    """What one run on zeros executes; nothing where that can't be told (another device, a plug-in, no such output)."""
    if provider.name != OPENVINO or provider.device is not None or provider.options.get("device_type") != "CPU":
        return ()
    feeds = [(spec.name, [dim if isinstance(dim, int) else 1 for dim in spec.shape], spec.dtype) for spec in inputs]
    request = json.dumps([str(path), provider.name, dict(provider.options), feeds])
    try:
        found = subprocess.run(
            [sys.executable, "-c", _CHILD, request],
            env={**os.environ, "ONEDNN_VERBOSE": "1"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(read_primitives(found.stdout))


def read_primitives(printed: str) -> Iterator[Primitive]:
    """From oneDNN's lines (ONEDNN_VERBOSE, version 1); what only moves data is left out."""
    for line in printed.splitlines():
        if (match := _EXECUTED.match(line)) and match[1] != "reorder":
            yield Primitive(match[1], match[2], _type(match[3], "src"), _type(match[3], "dst"))


def _type(memory: str, role: str) -> str:
    found = re.search(_MEMORY.format(role), memory)
    return _TYPES.get(found[1], found[1]) if found else "unknown"


def by_op_type(primitives: Sequence[Primitive]) -> dict[str, Primitive]:
    """The kernels in which all ops of a type ran, as one; types whose ops read operands of several types are left out."""
    found: dict[str, list[Primitive]] = {}
    for primitive in primitives:
        for op in _OPS.get(primitive.kind, ()):
            found.setdefault(op, []).append(primitive)
    return {op: _one(ran) for op, ran in found.items() if len({each.operand for each in ran}) == 1}


def _one(ran: Sequence[Primitive]) -> Primitive:
    """What they have in common; "or" between what they have not."""
    kernels, results = (" or ".join(sorted(set(words))) for words in ((p.kernel for p in ran), (p.result for p in ran)))
    return Primitive(ran[0].kind, kernels, ran[0].operand, results)


def summary(primitives: Sequence[Primitive]) -> str:
    """What ran, most frequent first."""
    counts: Counter[Any] = Counter((each.kind, each.operand, each.kernel) for each in primitives)
    return ", ".join(
        f"{count} {kind} on {operand} ({kernel})" for (kind, operand, kernel), count in counts.most_common()
    )
