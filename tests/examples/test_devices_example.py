"""The example of devices runs as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnx
from onnx import TensorProto, helper

ROOT = Path(__file__).parents[2]


def test_a_file_answers_on_the_device_as_here(tmp_path: Path) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, tmp_path / "relu.onnx")
    path = os.pathsep.join(str(ROOT / room) for room in (".", "converters", "runtimes"))
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "devices.py"), str(tmp_path / "relu.onnx"), "local"],
        env={**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "y: onnxruntime and onnxruntime on local differ by 0 at most\n"
