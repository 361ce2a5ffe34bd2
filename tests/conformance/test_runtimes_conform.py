"""The runtimes that come with edgekit keep what every runtime promises: the suite that plug-ins go through (edgekit.testing)."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from edgekit import registry
from edgekit.protocols import Delegate, Runtime, SessionOptions
from edgekit.testing import RuntimeConformance


class TestRuntimesConform(RuntimeConformance):
    @pytest.fixture(params=["onnxruntime", "litert", "tflite_runtime", "tflite_micro"])
    def runtime(self, request: pytest.FixtureRequest) -> Runtime:
        return registry.runtime(request.param)

    @pytest.fixture
    def delegates(self, runtime: Runtime) -> tuple[Delegate, ...]:
        """The one that EDGEKIT_CONFORMANCE_DELEGATE names (scripts/provider)."""
        asked = os.environ.get("EDGEKIT_CONFORMANCE_DELEGATE")
        return (Delegate.parse(asked),) if asked and runtime.name == "onnxruntime" else ()

    @pytest.fixture
    def refused(self, runtime: Runtime) -> Sequence[SessionOptions]:
        common = (SessionOptions(threads=0), SessionOptions(kernels="fast"))
        if runtime.name == "onnxruntime":  # takes any setting; names are its own
            return common
        return (*common, SessionOptions(settings={"no such setting": "1"}))
