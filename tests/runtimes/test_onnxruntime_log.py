"""ONNX Runtime's log, read."""

from __future__ import annotations

from edgekit_runtimes.onnxruntime_log import complaints, refusals

LOG = """some vendor's greeting
\x1b[1;31m2026-11-22 15:36:49.977047054 [E:onnxruntime:Default, provider_bridge_ort.cc:2310 Create] /onnxruntime/core/\
providers/openvino/factory.cc:141 std::string onnxruntime::ParseDeviceType(std::shared_ptr<OVCore>, const Options&) \
[ERROR] [OpenVINO] Device GPU is not available
\x1b[m
2026-11-22 15:34:03.707370458 [V:onnxruntime:, qnn_execution_provider.cc:1713 LogNodeSupport] Validation FAILED for 2 nodes \
in OrtNodeUnit (Conv) :
\tOperator type: DequantizeLinear Node name: in/DequantizeLinear Node index: 4
\tOperator type: Conv Node name: conv 1 Node index: 7
\tREASON : Cannot get shape

2026-11-22 15:34:03.7 [I:onnxruntime:, fallback_cpu_capability.cc:168 GetCpuPreferredNodes] Force fallback to CPU execution \
for node: shape_of because the CPU execution path is deemed faster
2026-11-22 15:34:03.8 [E:onnxruntime:, plugin.cc:677 GetCapability] OrtEp::GetCapability() failed with error: \
[ONNXRuntimeError] : 11 : EP_FAIL : Unable to load backend
2026-11-22 15:34:03.9 [W:onnxruntime:, a.cc:1 b] slow
"""


def test_errors_are_told_without_colours_places_and_codes() -> None:
    assert complaints(LOG) == ("[OpenVINO] Device GPU is not available", "Unable to load backend")
    assert complaints("\n".join(LOG.splitlines()[-1:])) == ("slow",)
    assert complaints("only a greeting") == ()


def test_refusals_are_told_by_the_name_of_the_op() -> None:
    assert refusals(LOG) == {
        "in/DequantizeLinear": "Cannot get shape",
        "conv 1": "Cannot get shape",
        "shape_of": "the CPU execution path is deemed faster",
    }
