"""The peers' own quantizers, called as their documentation says, each as a command so that its CPU time and memory can be taken.

``python scripts/bench/peers.py onnxruntime-minmax MODEL.onnx SAMPLES.npz OUT.onnx``
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np


def litert_dynamic(model: Path, samples: Path, out: Path) -> None:
    """Google's LiteRT quantizer: int8 weights, activations quantized per call; it needs no samples."""
    from litert_quantizer import quantizer, recipe

    out.unlink(missing_ok=True)
    quantizer.Quantizer(str(model), recipe.dynamic_wi8_afp32()).quantize().export_model(str(out))


def onnxruntime_static(model: Path, samples: Path, out: Path, method: str, activation: str) -> None:
    """ONNX Runtime's pre-process and `quantize_static` (QDQ, per-channel int8 weights)."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    prepared = out.with_suffix(".prepared.onnx")
    _prepare(model, prepared)
    quantize_static(
        prepared,
        out,
        _Reader(samples, prepared),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType[activation],
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod[method],
    )


def onnxruntime_dynamic(model: Path, samples: Path, out: Path) -> None:
    """ONNX Runtime's pre-process and `quantize_dynamic` (int8 weights per channel); it takes no samples."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    prepared = out.with_suffix(".prepared.onnx")
    _prepare(model, prepared)
    quantize_dynamic(prepared, out, per_channel=True, weight_type=QuantType.QInt8)


def _prepare(model: Path, prepared: Path) -> None:
    """ONNX Runtime's pre-processing, with symbolic shapes where these work: not on the masks of Transformers, for one."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    try:
        quant_pre_process(model, prepared)
    except Exception:  # noqa: BLE001  # all it raises where its symbolic shapes fail
        quant_pre_process(model, prepared, skip_symbolic_shape=True)


def litert_static(model: Path, samples: Path, out: Path, minmax: bool) -> None:
    """Google's LiteRT quantizer, static int8; by default its calibration is a moving average, which clips."""
    from ai_edge_litert.interpreter import Interpreter
    from litert_quantizer import calibrator, quantizer, recipe, recipe_manager
    from litert_quantizer.utils import qsv_utils

    runner = Interpreter(str(model)).get_signature_runner()
    (name, detail), *_ = runner.get_input_details().items()
    found = np.load(samples)["x"]
    feeds = [{name: sample[None].reshape(detail["shape"]).astype(detail["dtype"])} for sample in found]
    static = recipe.static_wi8_ai8()
    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(static)
    chosen = {"qsv_update_func": qsv_utils.min_max_update} if minmax else {}
    worker = calibrator.Calibrator(str(model), **chosen)
    worker.calibrate({"serving_default": feeds}, manager)
    out.unlink(missing_ok=True)
    quantizer.Quantizer(str(model), static).quantize(worker.get_model_qsvs()).export_model(str(out))


class _Reader:
    """Feeds ONNX Runtime's calibrator one sample at a time, and from the start again when it rewinds."""

    def __init__(self, samples: Path, model: Path) -> None:
        import onnx

        stored = np.load(samples)
        self._arrays = {onnx.load(model).graph.input[0].name: stored["x"]} if "x" in stored else dict(stored)
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
    "litert-dynamic": litert_dynamic,
    "onnxruntime-minmax": lambda model, samples, out: onnxruntime_static(model, samples, out, "MinMax", "QUInt8"),
    "onnxruntime-minmax-signed": lambda model, samples, out: onnxruntime_static(model, samples, out, "MinMax", "QInt8"),
    "onnxruntime-percentile": lambda model, samples, out: onnxruntime_static(
        model, samples, out, "Percentile", "QUInt8"
    ),
    "litert-quantizer": lambda model, samples, out: litert_static(model, samples, out, minmax=False),
    "litert-quantizer-minmax": lambda model, samples, out: litert_static(model, samples, out, minmax=True),
}

if __name__ == "__main__":
    peer, *paths = sys.argv[1:]
    PEERS[peer](*(Path(path) for path in paths))
