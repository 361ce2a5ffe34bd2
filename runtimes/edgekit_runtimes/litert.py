"""LiteRT (the package ai-edge-litert): TFLite files on XNNPACK or on the interpreter's own kernels."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from edgekit.protocols import Availability, SessionOptions, TimedOp
from edgekit_runtimes.installed import installed_version
from edgekit_runtimes.interpreter import InterpreterSession
from edgekit_runtimes.interpreter_options import accelerators, open_interpreter, time_ops
from edgekit_runtimes.litert_choices import choice_of, compiled_accelerators
from edgekit_runtimes.litert_compiled import CompiledSession, open_compiled


class LiteRt:
    """Runtime ``litert``. ``kernels``: "default" (XNNPACK), "builtin" (optimized, no delegate), "reference".

    A GPU, an NPU and options of XNNPACK are served by LiteRT's compiled models, all else by its interpreter.
    """

    name = "litert"
    formats = ("tflite",)

    def probe(self) -> Availability:
        if find_spec("ai_edge_litert") is not None:
            return Availability(
                True, installed_version("ai-edge-litert"), accelerators=(*accelerators(), *compiled_accelerators())
            )
        if sys.version_info < (3, 11):
            found = f"{sys.version_info.major}.{sys.version_info.minor}"
            return Availability(
                False,
                reason=f"ai-edge-litert needs Python 3.11 or newer; this is {found}",
                remedy="pip install 'edgekit-ml[tflite-runtime]'",
            )
        return Availability(False, reason="ai-edge-litert is not installed", remedy="pip install 'edgekit-ml[tflite]'")

    def open(self, path: Path, options: SessionOptions) -> InterpreterSession | CompiledSession:
        choice = choice_of(options)
        if choice is not None:
            return open_compiled(self.name, self.probe(), path, options, choice)
        return open_interpreter(self.name, self.probe(), _MODULE, path, options)

    def op_times(self, path: Path, options: SessionOptions) -> tuple[TimedOp, ...]:
        if choice_of(options) is not None:
            return ()
        return time_ops(self.name, self.probe(), _MODULE, path, options)


_MODULE = "ai_edge_litert.interpreter"
