"""The plug-in keeps what edgekit's own runtimes and profiles promise, and is found by its entry points."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit import registry
from edgekit.cli.border import run
from edgekit.errors import FeedError
from edgekit.protocols import Runtime, SessionOptions
from edgekit.testing import RuntimeConformance, TargetConformance


class TestReferenceRuntime(RuntimeConformance):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return registry.runtime("onnx_reference")


class TestPortableOnnx(TargetConformance):
    @pytest.fixture
    def name(self) -> str:
        return "portable-onnx"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "pair.onnx"
    path.write_bytes((resources.files("edgekit.testing") / "models" / "pair.onnx").read_bytes())
    return path


def test_sizes_that_do_not_fit_one_another_are_told_as_wrong_inputs(tmp_path: Path) -> None:
    """Each fits the open dimensions of its own input."""
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n"]) for name in ("a", "b", "c")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Add", ["a", "b"], ["c"])], "sum", ends[:2], ends[2:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)]), tmp_path / "sum.onnx")
    session = registry.runtime("onnx_reference").open(tmp_path / "sum.onnx", SessionOptions())
    with pytest.raises(FeedError, match=r"sum\.onnx failed on these inputs: .*operator 'Add'"):
        session.run({"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)})


def test_the_command_lists_the_runtime(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runtimes", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["runtimes"]}
    assert listed["onnx_reference"]["availability"]["available"]


def test_a_file_is_converted_for_the_target_and_checked_by_runtime_and_metric(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    feeds = {"a": random.normal(size=(32, 1, 3)), "b": random.normal(size=(32, 1, 2))}
    np.savez(tmp_path / "in.npz", **{name: array[:, 0].astype(np.float32) for name, array in feeds.items()})
    samples, out = str(tmp_path / "in.npz"), tmp_path / "out"
    command = ["convert", str(model), "-o", str(out), "--target", "portable-onnx", "--calibrate", samples]
    assert run([*command, "--no-checks", "--json"]) == 0
    capsys.readouterr()
    check = ["check", str(out / "pair.int8.onnx"), "--runtime", "onnx_reference", "--against", str(model)]
    assert run([*check, "--samples", samples, "--metric", "same-sign", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    own = document["entries"][1]
    assert document["metric"]["name"] == "same-sign"
    assert own["runtime"].startswith("onnx_reference")
    assert own["accuracy"] > 0.9
    assert own["placement"]["devices"] == {"reference": own["placement"]["ops"]}
