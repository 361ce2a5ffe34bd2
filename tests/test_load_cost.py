"""Load time and memory, measured in processes of their own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from in_process import InProcess

from edgekit import load_cost, registry
from edgekit.errors import ArtifactError
from edgekit.load_cost import LoadRequest, measure_load
from edgekit.protocols import Runtime, SessionOptions, Silent
from edgekit_converters.hub.build import GraphBuilder


def product(path: Path, size: int) -> Path:
    graph = GraphBuilder()
    weight = graph.constant(np.random.default_rng(0).standard_normal((size, size)).astype(np.float32))
    graph.output(graph.op("MatMul", graph.input("x", "float32", (1, size)), weight), "y")
    path.write_bytes(graph.build("test").to_bytes())
    return path


def test_a_larger_file_needs_more_memory_by_about_its_size_and_starts_are_warm_and_cold(tmp_path: Path) -> None:
    small = measure_load(product(tmp_path / "small.onnx", 8), "onnxruntime", SessionOptions(), starts=2)
    large = measure_load(product(tmp_path / "large.onnx", 2048), "onnxruntime", SessionOptions())
    assert large.peak_memory_bytes - small.peak_memory_bytes > 2048 * 2048 * 4
    assert small.load_ns > 0
    assert (len(small.starts_ns), len(large.starts_ns)) == (2, 1)
    assert large.cold_ns is None, "cold starts are measured with several"


@pytest.mark.parametrize(("cold_ns", "found"), [((90, 70, 50), 70), ((90, None, 50), None)])
def test_a_start_is_the_median_of_several_and_so_is_a_cold_one(
    cold_ns: tuple[int | None, ...], found: int | None
) -> None:
    """None: a system that can't drop a file from the page cache."""
    asked: list[LoadRequest] = []

    def start(request: LoadRequest) -> int | None:
        asked.append(request)
        return cold_ns[request.attempt] if request.cold else (40, 20, 30)[request.attempt]

    place = InProcess({"edgekit.load_cost:start_here": start, "edgekit.load_cost:load_here": lambda _: 5})
    cost = measure_load(Path("m.onnx"), "onnxruntime", SessionOptions(), place, starts=3)
    assert (cost.load_ns, cost.start_ns, cost.cold_ns, cost.starts_ns) == (5, 30, found, (40, 20, 30))
    assert [(one.cold, one.attempt) for one in asked] == [(cold, n) for cold in (False, True) for n in range(3)]


def test_a_start_holds_the_import_of_the_runtime_and_opening_again_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = 0

    def runtime(name: str) -> Runtime:
        nonlocal imported
        imported += 1
        return registry.runtime(name)

    monkeypatch.setattr(load_cost, "registry", SimpleNamespace(runtime=runtime))
    monkeypatch.setattr(load_cost, "time", SimpleNamespace(perf_counter_ns=lambda: imported))
    request = LoadRequest(product(tmp_path / "m.onnx", 8), "onnxruntime", SessionOptions())
    assert load_cost.start_here(request, Silent()) == 1
    assert load_cost.load_here(request, Silent()) == 0


def test_what_opening_raises_is_raised_here(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ArtifactError, match="is not an ONNX file"):
        measure_load(path, "onnxruntime", SessionOptions())
