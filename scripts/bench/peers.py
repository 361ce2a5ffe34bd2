"""The peers' own quantizers, called as their documentation says, each as a command so that its CPU time and memory can be taken.

``python scripts/bench/peers.py onnxruntime-minmax MODEL.onnx SAMPLES.npz OUT.onnx``
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np


def onnxruntime_static(model: Path, samples: Path, out: Path, method: str, activation: str) -> None:
    """ONNX Runtime's pre-process and `quantize_static` (QDQ, per-channel int8 weights)."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = out.with_suffix(".prepared.onnx")
    quant_pre_process(model, prepared, skip_symbolic_shape=True)  # which fails on the masks of Transformers
    quantize_static(
        prepared,
        out,
        _Reader(samples),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType[activation],
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod[method],
    )


def onnxruntime_dynamic(model: Path, samples: Path, out: Path) -> None:
    """ONNX Runtime's pre-process and `quantize_dynamic` (int8 weights per channel); it takes no samples."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = out.with_suffix(".prepared.onnx")
    quant_pre_process(model, prepared, skip_symbolic_shape=True)  # which fails on the masks of Transformers
    quantize_dynamic(prepared, out, per_channel=True, weight_type=QuantType.QInt8)


def litert_static(model: Path, samples: Path, out: Path) -> None:
    """Google's LiteRT quantizer, static int8, min-max calibration (its default moving average clips)."""
    from ai_edge_litert.interpreter import Interpreter
    from litert_quantizer import quantizer, recipe

    runner = Interpreter(str(model)).get_signature_runner()
    (name, detail), *_ = runner.get_input_details().items()
    pictures = np.load(samples)["x"]
    worker = quantizer.Quantizer(str(model), recipe.static_wi8_ai8())
    feeds = [{name: picture[None].reshape(detail["shape"]).astype(np.float32)} for picture in pictures]
    ranges = worker.calibrate({"serving_default": feeds})
    out.unlink(missing_ok=True)
    worker.quantize(ranges).export_model(str(out))


class _Reader:
    """Feeds ONNX Runtime's calibrator one sample at a time, and from the start again when it rewinds."""

    def __init__(self, samples: Path) -> None:
        stored = np.load(samples)
        self._arrays = {"input": stored["x"]} if "x" in stored else dict(stored)
        self._iterator = self._feeds()

    def get_next(self) -> dict[str, object] | None:
        return next(self._iterator, None)

    def rewind(self) -> None:
        self._iterator = self._feeds()

    def _feeds(self) -> Iterator[dict[str, object]]:
        count = len(next(iter(self._arrays.values())))
        return ({name: array[row : row + 1] for name, array in self._arrays.items()} for row in range(count))


PEERS: dict[str, Callable[[Path, Path, Path], None]] = {
    "onnxruntime-dynamic": onnxruntime_dynamic,
    "onnxruntime-minmax": lambda model, samples, out: onnxruntime_static(model, samples, out, "MinMax", "QUInt8"),
    "onnxruntime-minmax-signed": lambda model, samples, out: onnxruntime_static(model, samples, out, "MinMax", "QInt8"),
    "onnxruntime-percentile": lambda model, samples, out: onnxruntime_static(
        model, samples, out, "Percentile", "QUInt8"
    ),
    "litert-quantizer": litert_static,
}

if __name__ == "__main__":
    peer, *paths = sys.argv[1:]
    PEERS[peer](*(Path(path) for path in paths))
