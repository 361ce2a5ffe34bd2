"""ONNX Runtime as the calculator of calibration and correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import onnx
from numpy.typing import NDArray

from edgekit.protocols import Feeds


class Calculator(Protocol):
    """The one call of ONNX Runtime's session that is used."""

    def run(self, outputs: Sequence[str], feeds: Feeds) -> list[NDArray[Any]]: ...


def open_session(model: onnx.ModelProto) -> Calculator:
    """A session that keeps no memory between runs and does not burn processor time while it waits."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Otherwise weights between a DequantizeLinear and a QuantizeLinear are quantized again, one scale a tensor.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session: Calculator = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session
