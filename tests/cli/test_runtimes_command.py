"""``edgekit runtimes``."""

from __future__ import annotations

import json

import pytest

from edgekit.cli.border import run
from edgekit.protocols import Availability
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
