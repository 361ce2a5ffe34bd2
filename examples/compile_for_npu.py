"""Compile a file without float operators for several sizes of Arm's Ethos-U55 and compare what Vela estimates.

edgekit convert examples/digits/digits_cnn.keras --calibrate examples/digits/calibrate.npz --target ethos-u55 -o out
python examples/compile_for_npu.py out/digits_cnn.int8.tflite
"""

from __future__ import annotations

import sys
from pathlib import Path

from edgekit.compilation import CompileOptions, CompileRequest, compile_file
from edgekit.protocols import Silent


def main(file: str) -> None:
    for accelerator in ("ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256"):
        request = CompileRequest(Path(file), "vela", options=CompileOptions(accelerator))
        report = compile_file(request, Silent())
        cycles = report.compiled.figures[0].value
        left = report.fallbacks
        print(f"{accelerator}: {cycles:,.0f} NPU cycles, {left.ops_left} of {left.ops} ops left to the CPU")


if __name__ == "__main__":
    main(*sys.argv[1:])
