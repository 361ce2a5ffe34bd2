"""The files of the conformance suite are what the writers make of its model, up to what a later writer says in other words."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
from conformance_models import write_models

from edgekit_converters.inspection import inspect_file


@pytest.mark.parametrize("name", ["pair.onnx", "pair.tflite"])
def test_the_shipped_file_holds_the_model(name: str, tmp_path: Path) -> None:
    write_models(tmp_path)
    shipped = tmp_path / f"shipped_{name}"
    shipped.write_bytes((resources.files("edgekit.testing") / "models" / name).read_bytes())
    made, found = inspect_file(tmp_path / name), inspect_file(shipped)
    assert (found.inputs, found.outputs) == (made.inputs, made.outputs)
    assert [node.op for node in found.nodes] == [node.op for node in made.nodes]
    assert (found.parameters, found.macs) == (made.parameters, made.macs)
    assert found.macs == 3 * 2 + 2 * 1
