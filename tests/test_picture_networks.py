"""Networks that make or judge pictures, in int8 in both formats: close to the original, the two files alike, integer kernels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conversion import Converted, convert
from picture_networks import NETWORKS, samples

LEAST_SQNR_DB = {"generator": 30, "upscaler": 30, "unet": 30, "autoencoder": 28, "efficient": 26}


@pytest.fixture(scope="module", params=list(NETWORKS))
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Converted]:
    folder = tmp_path_factory.mktemp(request.param)
    hub = NETWORKS[request.param]()
    (folder / "net.onnx").write_bytes(hub.to_bytes())
    for name, seed in (("calibrate", 1), ("evaluate", 2)):
        np.savez(folder / f"{name}.npz", **samples(hub, 64, seed))
    options = ("--calibrate", str(folder / "calibrate.npz"), "--evaluate", str(folder / "evaluate.npz"))
    return request.param, convert(folder / "net.onnx", folder / "out", *options)


def agreement(converted: Converted, suffix: str) -> dict[str, float]:
    found = next(one for one in converted.document["entries"] if one["name"].endswith(suffix))
    return dict(found["agreement"])


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["tflite", "onnx"])
def test_int8_stays_close_to_the_original(network, file_format):
    name, converted = network
    assert converted.code == 0
    assert agreement(converted, f"int8.{file_format}")["sqnr_db"] >= LEAST_SQNR_DB[name]


@pytest.mark.slow
def test_the_float_files_answer_as_the_original(network):
    _, converted = network
    assert min(agreement(converted, f"float32 {one}")["sqnr_db"] for one in ("tflite", "onnx")) > 105


@pytest.mark.slow
def test_no_layer_with_weights_stays_float(network):
    _, converted = network
    assert {one["op"] for one in converted.document["float_nodes"]} <= {"Exp"}


@pytest.mark.slow
def test_the_onnx_file_has_no_float_convolutions_left(network, tmp_path: Path):
    import onnx
    import onnxruntime

    name, converted = network
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / f"{name}.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(converted.out / "net.int8.onnx", options)
    ops = {node.op_type for node in onnx.load(tmp_path / f"{name}.onnx").graph.node}
    assert not ops & {"Conv", "FusedConv", "ConvTranspose", "Gemm", "MatMul", "DepthToSpace"}
