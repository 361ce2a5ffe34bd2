"""``edgekit runtimes``."""

from __future__ import annotations

import json

import pytest

from edgekit.cli.border import run
from edgekit.cli.runtimes import RuntimeEntry, RuntimeList
from edgekit.protocols import Absent, Availability
from edgekit_runtimes.litert import LiteRt


def test_every_runtime_is_listed_with_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runtimes", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "edgekit.runtimes/1"
    found = {entry["name"]: entry for entry in document["runtimes"]}
    assert found["onnxruntime"]["availability"]["accelerators"][-1] == "CPUExecutionProvider"
    assert found["onnxruntime"]["formats"] == ["onnx"]
    assert {"litert", "tflite_runtime"} <= set(found)


def test_an_absent_one_comes_with_reason_and_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = Availability(False, reason="it is not installed", remedy="pip install it")
    monkeypatch.setattr(LiteRt, "probe", lambda self: absent)
    assert run(["runtimes"]) == 0
    out = capsys.readouterr().out
    assert "not usable" in out
    assert "litert: it is not installed. Install it with: pip install it" in out


def test_a_provider_that_is_not_here_comes_with_reason_and_command(capsys: pytest.CaptureFixture[str]) -> None:
    absent = Absent("npu", "its driver is missing", "pip install npu")
    found = RuntimeList((RuntimeEntry("fast", ("onnx",), Availability(True, "1", absent=(absent,))),))
    assert "  npu: its driver is missing. To get it: pip install npu" in found.sections()
    assert run(["runtimes", "--json"]) == 0
    [onnxruntime] = [e for e in json.loads(capsys.readouterr().out)["runtimes"] if e["name"] == "onnxruntime"]
    told = {entry["name"] for entry in onnxruntime["availability"]["absent"]}
    assert {"xnnpack", "acl", "webgpu"} <= told | {name.lower() for name in onnxruntime["availability"]["accelerators"]}
