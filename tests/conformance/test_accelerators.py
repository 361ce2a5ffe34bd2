"""What holds for every accelerator of ONNX Runtime, on those that start here (scripts/provider makes environments that have one).

The placement that a session tells is compared with the record of a run that the test itself makes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit.errors import RuntimeUnavailableError, UsageError
from edgekit.protocols import Delegate, SessionOptions
from edgekit_runtimes.onnxruntime import OnnxRuntime
from edgekit_runtimes.onnxruntime_providers import choose

CPU = "CPUExecutionProvider"
NAMES = {"openvino": "OpenVINOExecutionProvider", "qnn": "QNNExecutionProvider"}
SCALE = 0.05


@pytest.fixture(params=NAMES)
def delegate(request: pytest.FixtureRequest) -> str:
    runtime = OnnxRuntime()
    if not runtime.probe().available:
        pytest.skip("onnxruntime is not installed")
    name = str(request.param)
    absent = {entry.name: entry.reason for entry in runtime.survey().absent}
    if name in absent:
        pytest.skip(f"{name}: {absent[name]}")
    return name


@pytest.fixture
def feeds() -> dict[str, Any]:
    return {"x": np.linspace(-1, 1, 3 * 4 * 4, dtype=np.float32).reshape(1, 3, 4, 4)}


def test_answers_are_those_of_the_cpu_within_a_step(delegate: str, models: Path, feeds: dict[str, Any]) -> None:
    with (
        edgekit.load(models / "encoded.onnx") as plain,
        edgekit.load(models / "encoded.onnx", delegates=[delegate]) as other,
    ):
        expected, found = plain.run(feeds)["y"], other.run(feeds)["y"]
    assert np.abs(found - expected).max() <= SCALE * 1.001
    assert np.ptp(expected) > 10 * SCALE


def test_every_op_has_its_place_and_what_is_left_to_the_cpu_a_reason(delegate: str, models: Path) -> None:
    with edgekit.load(models / "mixed.onnx", delegates=[delegate]) as model:
        placement = model.placement()
    devices = {op.op: op.device for op in placement.ops}
    assert devices["Conv"] == devices["Sigmoid"] == NAMES[delegate]
    [left] = [op for op in placement.ops if op.device == CPU]
    assert left.op == "Det"
    assert "Det" in left.why or "did not say why" in left.why
    assert placement.partitions == 2


@pytest.mark.parametrize("name", ["mixed.onnx", "encoded.onnx", "pair.onnx"])
def test_the_placement_is_that_of_the_sessions_own_record(
    delegate: str, models: Path, name: str, tmp_path: Path
) -> None:
    with edgekit.load(models / name, delegates=[delegate]) as model:
        placement = model.placement()
    kernels = _recorded(models / name, delegate, tmp_path)
    on_cpu = [op.name for op in placement.ops if op.device == CPU]
    assert sorted(on_cpu) == sorted(kernel for kernel, provider in kernels if provider == CPU)
    assert placement.partitions == Counter(provider for _, provider in kernels)[NAMES[delegate]]
    assert {op.device for op in placement.ops} == {provider for _, provider in kernels}


def _recorded(path: Path, delegate: str, folder: Path) -> list[tuple[str, str]]:
    """Name and provider of every kernel of a run, from ONNX Runtime alone."""
    import onnxruntime

    [provider] = choose((Delegate(delegate),), path, 1)
    settings = onnxruntime.SessionOptions()
    settings.enable_profiling, settings.profile_file_prefix = True, str(folder / "own")
    settings.add_free_dimension_override_by_name("batch", 1)
    listed: list[Any] | None = [(provider.name, dict(provider.options)), CPU]
    if provider.device is not None:
        settings.add_provider_for_devices([provider.device], dict(provider.options))
        listed = None
    session = onnxruntime.InferenceSession(str(path), settings, providers=listed)
    session.run(None, {entry.name: np.zeros(entry.shape, np.float32) for entry in session.get_inputs()})
    events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    ends = "_kernel_time"
    return [
        (str(event["name"]).removesuffix(ends), str(event["args"]["provider"]))
        for event in events
        if event.get("cat") == "Node" and str(event["name"]).endswith(ends)
    ]


@pytest.mark.parametrize(
    ("name", "types", "integer"), [("encoded.onnx", "uint8", True), ("mixed.onnx", "float32", False)]
)
def test_the_types_of_a_compiled_convolution_are_told(
    delegate: str, models: Path, name: str, types: str, integer: bool
) -> None:
    with edgekit.load(models / name, delegates=[delegate]) as model:
        [convolution] = [op for op in model.placement().ops if op.op == "Conv"]
    assert convolution.kernel.startswith(f"{types} -> {types}")
    assert convolution.integer is integer


def test_a_file_of_which_it_takes_nothing_is_refused(delegate: str, models: Path) -> None:
    with pytest.raises(
        RuntimeUnavailableError, match=r"took none of the 1 ops of foreign\.onnx: it would run on the CPU"
    ):
        edgekit.load(models / "foreign.onnx", delegates=[delegate])


@pytest.mark.parametrize("option", ["device_typo=CPU", "backend_typ=htp"])
def test_a_misspelt_option_is_refused(delegate: str, models: Path, option: str) -> None:
    if option.startswith("device") != (delegate == "openvino"):
        pytest.skip("an option of another provider")
    with pytest.raises(UsageError, match="Did you mean"):
        edgekit.load(models / "pair.onnx", delegates=[f"{delegate}:{option}"])


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("openvino:device_type=GPU", r"did not start with device_type=GPU, .*GPU is not available"),
        ("qnn:backend_type=cpu", r"took none .*libQnnCpu\.so: cannot open shared object file"),
        ("qnn:backend_type=fast", r"expected one of: cpu, gpu, htp"),
    ],
)
def test_a_device_that_is_not_there_is_told_with_its_own_words(
    delegate: str, models: Path, asked: str, says: str
) -> None:
    if not asked.startswith(delegate):
        pytest.skip("about another provider")
    with pytest.raises((RuntimeUnavailableError, UsageError), match=says):
        edgekit.load(models / "pair.onnx", delegates=[asked])


def test_the_vendors_libraries_print_nothing_into_a_commands_json(delegate: str, models: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.zeros((2, 3, 4, 4), np.float32))
    command = [sys.executable, "-m", "edgekit.cli", "run", models / "encoded.onnx", "--input", tmp_path / "in.npz"]
    command += ["--output", tmp_path / "out.npz", "--delegate", delegate, "--json"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(found.stdout)["delegates"] == [delegate]


def test_runs_can_be_bound_and_queued(delegate: str, models: Path, feeds: dict[str, Any]) -> None:
    with edgekit.load(models / "encoded.onnx", delegates=[delegate]) as model:
        expected = model.run(feeds)["y"]
        bound = model.bind({"x": (1, 3, 4, 4)})
        bound.inputs["x"][:] = feeds["x"]
        bound.run()
        np.testing.assert_array_equal(bound.outputs["y"], expected)
        with model.queue(workers=2) as queue:
            for outputs in queue.map([feeds] * 6):
                np.testing.assert_array_equal(outputs["y"], expected)


@pytest.mark.parametrize("name", ["cuda", "tensorrt"])
def test_a_build_for_gpus_without_their_driver_names_the_missing_libraries(models: Path, name: str) -> None:
    runtime = OnnxRuntime()
    if not runtime.probe().available or not any(name in each.lower() for each in runtime.probe().accelerators):
        pytest.skip(f"this build of ONNX Runtime has no {name}")
    if not any(entry.name == name for entry in runtime.survey().absent):
        pytest.skip(f"{name} starts here")
    with pytest.raises(RuntimeUnavailableError, match=r"libraries that it needs are missing: .*lib\w+\.so"):
        runtime.open(models / "pair.onnx", SessionOptions(delegates=(Delegate(name),)))
