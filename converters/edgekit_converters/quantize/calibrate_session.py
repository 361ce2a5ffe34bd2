"""ONNX Runtime as the calculator of calibration and correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from numpy.typing import NDArray

from edgekit.errors import ConversionError
from edgekit.protocols import Feeds
from edgekit_converters.hub.run import runtime_errors


class Calculator:
    """A session that keeps no memory between runs and burns no processor time while it waits.

    Raises ConversionError where ONNX Runtime can't open or run the model.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Otherwise weights between a DequantizeLinear and a QuantizeLinear are quantized again, one scale a tensor.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        self._name = model.graph.name
        try:
            content = model.SerializeToString()
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except runtime_errors() as error:
            raise ConversionError(f"ONNX Runtime can't open {self._name!r}: {error}") from error

    def run(self, outputs: Sequence[str], feeds: Feeds) -> list[NDArray[Any]]:
        """The arrays of ``outputs``, in their order."""
        try:
            found: list[NDArray[Any]] = self._session.run(list(outputs), dict(feeds))
        except runtime_errors() as error:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in feeds.items())
            raise ConversionError(
                f"ONNX Runtime can't run {self._name!r} on {shapes}: {error}. "
                "If the model takes one sample at a time, fix its batch with --input-shape."
            ) from error
        return found
