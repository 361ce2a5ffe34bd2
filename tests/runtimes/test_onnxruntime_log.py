"""What native code prints, kept and read."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from edgekit_runtimes.onnxruntime_log import Printed, captured

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


def printed(text: str) -> Printed:
    found = Printed()
    found.text = text
    return found


def test_errors_are_told_without_colours_places_and_codes() -> None:
    assert printed(LOG).errors == ("[OpenVINO] Device GPU is not available", "Unable to load backend")
    assert printed(LOG).warnings == ("slow",)
    assert printed("only a greeting").errors == ()


def test_refusals_are_told_by_the_name_of_the_op() -> None:
    assert printed(LOG).refusals == {
        "in/DequantizeLinear": "Cannot get shape",
        "conv 1": "Cannot get shape",
        "shape_of": "the CPU execution path is deemed faster",
    }


def test_what_native_code_prints_is_kept_and_the_rest_goes_its_way() -> None:
    code = (
        "import os\n"
        "from edgekit_runtimes.onnxruntime_log import captured\n"
        "print('before')\n"
        "with captured() as printed:\n"
        "    os.write(1, b'out '); os.write(2, b'err')\n"
        "print('after', printed.text)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split("\n") == ["before", "after out err", ""]
    assert found.stderr == ""


def test_a_failure_inside_gives_the_streams_back() -> None:
    before = os.fstat(1), os.fstat(2)
    try:
        with captured():
            raise KeyError
    except KeyError:
        pass
    assert (os.fstat(1), os.fstat(2)) == before


def test_two_threads_take_turns() -> None:
    before, found = (os.fstat(1), os.fstat(2)), []

    def write(word: bytes) -> None:
        for _ in range(20):
            with captured() as printed:
                os.write(1, word)
            found.append(printed.text)

    threads = [threading.Thread(target=write, args=(word,)) for word in (b"one", b"two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["one"] * 20 + ["two"] * 20
    assert (os.fstat(1), os.fstat(2)) == before
