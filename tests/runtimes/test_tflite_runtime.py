"""tflite-runtime's traps."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit_runtimes import tflite_runtime


def test_numpy_2_is_told_before_the_interpreter_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite_runtime, "find_spec", lambda name: object())
    monkeypatch.setattr(tflite_runtime, "version", lambda name: "2.14.0")
    monkeypatch.setattr(np, "__version__", "2.4.6")
    found = tflite_runtime.TfliteRuntime().probe()
    assert not found.available
    assert found.reason == "tflite-runtime 2.14.0 was built for numpy 1; numpy 2.4.6 is installed"
    assert found.remedy == "pip install 'numpy<2'"


def test_numpy_1_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite_runtime, "find_spec", lambda name: object())
    monkeypatch.setattr(tflite_runtime, "version", lambda name: "2.14.0")
    monkeypatch.setattr(np, "__version__", "1.26.4")
    assert tflite_runtime.TfliteRuntime().probe().available


def test_absence_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite_runtime, "find_spec", lambda name: None)
    found = tflite_runtime.TfliteRuntime().probe()
    assert not found.available
    assert found.remedy.startswith("pip install 'edgekit-ml[tflite")
