"""What is known of execution providers without having them: options, defaults, names, ways to get them."""

from __future__ import annotations

from pathlib import Path

import pytest
from runtime_models import write_open_length, write_quantized_matmul

from edgekit.errors import RuntimeUnavailableError, UsageError
from edgekit.protocols import Delegate, SessionOptions
from edgekit_runtimes.onnxruntime import OnnxRuntime
from edgekit_runtimes.onnxruntime_catalogue import CATALOGUE, KnownProvider, full_name, known
from edgekit_runtimes.onnxruntime_providers import absent, available, named


def provider(name: str) -> KnownProvider:
    found = known(name)
    assert found is not None
    return found


def test_tensorrt_keeps_its_engines_and_takes_int8_from_the_files_encodings(tmp_path: Path) -> None:
    encoded, plain = write_quantized_matmul(tmp_path / "q.onnx"), write_open_length(tmp_path / "f.onnx")
    kept = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(tmp_path / "q.tensorrt")}
    assert provider("tensorrt").completed({}, encoded, 1) == kept | {"trt_int8_enable": "1"}
    assert "trt_int8_enable" not in provider("tensorrt").completed({}, plain, 1)
    assert provider("tensorrt").completed({"trt_int8_enable": "0"}, encoded, 1)["trt_int8_enable"] == "0"


def test_providers_with_threads_of_their_own_get_the_sessions(tmp_path: Path) -> None:
    path = write_open_length(tmp_path / "m.onnx")
    assert provider("openvino").completed({}, path, 3) == {"device_type": "CPU", "num_of_threads": "3"}
    assert provider("xnnpack").completed({}, path, 3) == {"intra_op_num_threads": "3"}
    assert provider("acl").completed({"enable_fast_math": "true"}, path, 3) == {"enable_fast_math": "true"}
    assert provider("cuda").completed({"device_id": "1"}, path, 3) == {"device_id": "1"}


def test_a_misspelt_key_is_refused_and_a_new_one_is_handed_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no option 'trt_fp16_enabled'\. Did you mean 'trt_fp16_enable'"):
        provider("tensorrt").completed({"trt_fp16_enabled": "1"}, tmp_path, 1)
    assert provider("qnn").completed({"brand_new": "1"}, tmp_path, 1) == {"backend_type": "htp", "brand_new": "1"}
    with pytest.raises(UsageError, match="qnn has no backend_type 'npu'; expected one of: cpu, gpu, htp"):
        provider("qnn").completed({"backend_type": "npu"}, tmp_path, 1)


def test_a_backend_by_path_is_one_by_no_type(tmp_path: Path) -> None:
    assert provider("qnn").completed({"backend_path": "/opt/libQnnHtp.so"}, tmp_path, 1) == {
        "backend_path": "/opt/libQnnHtp.so"
    }


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("TensorRT", "TensorrtExecutionProvider"),
        ("acl", "ACLExecutionProvider"),
        ("CUDAExecutionProvider", "CUDAExecutionProvider"),
        ("coreml", "CoreMLExecutionProvider"),
        ("dnnl", "dnnlExecutionProvider"),
    ],
)
def test_short_names_become_full_ones(name: str, full: str) -> None:
    assert full_name(name, ("CoreMLExecutionProvider",)) == full


def test_every_known_provider_is_either_there_or_absent_with_a_reason_and_a_way() -> None:
    found = OnnxRuntime().survey()
    missing = {entry.name: entry for entry in found.absent}
    for each in CATALOGUE:
        assert (each.name in found.accelerators) != (each.short in missing)
    assert all(entry.reason and entry.remedy for entry in missing.values())
    assert set(available()) <= set(named())
    assert absent() == found.absent


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cuda", r"onnxruntime-gpu, which is not installed.*To get it: pip uninstall -y onnxruntime && pip install"),
        ("tensorrt", r"NVIDIA's TensorRT, which is not installed.*JetPack"),
        ("acl", r"a build with --use_acl.*build ONNX Runtime with --use_acl and Arm's Compute Library"),
        ("xnnpack", r"a build with --use_xnnpack"),
        ("nothing-known", r"nothing that is installed brings it\. It has CPUExecutionProvider"),
    ],
)
def test_a_request_ends_in_what_is_missing_and_how_to_get_it(tmp_path: Path, name: str, says: str) -> None:
    if any(name in each.lower() for each in named()):
        pytest.skip(f"this build of ONNX Runtime has {name}")
    path = write_open_length(tmp_path / "m.onnx")
    with pytest.raises(
        RuntimeUnavailableError, match=rf"ONNX Runtime [\d.]+ \(package onnxruntime.*{says}.*Leave it out"
    ):
        OnnxRuntime().open(path, SessionOptions(delegates=(Delegate(name),)))


def test_a_library_that_is_no_plug_in_is_told_as_the_loader_tells_it(tmp_path: Path) -> None:
    (tmp_path / "libnpu.so").write_bytes(b"no library")
    options = SessionOptions(delegates=(Delegate.parse(str(tmp_path / "libnpu.so")),))
    with pytest.raises(RuntimeUnavailableError, match=r"can't be used as a plug-in of ONNX Runtime .*Failed to load"):
        OnnxRuntime().open(write_open_length(tmp_path / "m.onnx"), options)
