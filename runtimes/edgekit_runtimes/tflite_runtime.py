"""tflite-runtime: TFLite files on boards that LiteRT has no wheel for (32-bit Arm, Python 3.10 and older)."""

from __future__ import annotations

import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from edgekit.protocols import Availability, SessionOptions, TimedOp
from edgekit_runtimes.interpreter import InterpreterSession
from edgekit_runtimes.interpreter_options import accelerators, open_interpreter, time_ops


class TfliteRuntime:
    """Runtime ``tflite_runtime``, with the kernels of `LiteRt`."""

    name = "tflite_runtime"
    formats = ("tflite",)

    def probe(self) -> Availability:
        if find_spec("tflite_runtime") is None:
            if sys.version_info >= (3, 12):
                reason = "tflite-runtime has no wheel for Python 3.12 and newer; use litert instead"
                return Availability(False, reason=reason, remedy="pip install 'edgekit-ml[tflite]'")
            return Availability(
                False, reason="tflite-runtime is not installed", remedy="pip install 'edgekit-ml[tflite-runtime]'"
            )
        found = version("tflite-runtime")
        if _release(found) < (2, 15) and _release(np.__version__) >= (2, 0):
            # pip installs the two side by side and the import passes; the first Interpreter() then fails.
            reason = f"tflite-runtime {found} was built for numpy 1; numpy {np.__version__} is installed"
            return Availability(False, found, reason, remedy="pip install 'numpy<2'")
        return Availability(True, found, accelerators=accelerators())

    def open(self, path: Path, options: SessionOptions) -> InterpreterSession:
        return open_interpreter(self.name, self.probe(), _MODULE, path, options)

    def op_times(self, path: Path, options: SessionOptions) -> tuple[TimedOp, ...]:
        return time_ops(self.name, self.probe(), _MODULE, path, options)


_MODULE = "tflite_runtime.interpreter"


def _release(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)
