"""A dry run names what each node would do and touches nothing."""

from __future__ import annotations

import json
from pathlib import Path

from edgekit.cli.border import run

DIGITS = Path(__file__).parent.parent / "examples" / "digits"


def test_a_dry_run_tells_how_each_node_computes_and_writes_nothing(tmp_path, capsys):
    out = tmp_path / "out"
    code = run(
        ["convert", str(DIGITS / "digits_cnn.keras"), "-o", str(out), "--dry-run", "--keep-float", "digit*", "--json"]
    )
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert not out.exists()
    assert document["schema"] == "edgekit.plan/1"
    executions = {node["op"]: node["execution"] for node in document["nodes"]}
    assert executions["Conv"] == "integer"
    assert executions["Relu"] == "fused"
    assert executions["Gemm"] == "float"
    assert {node["reason"] for node in document["nodes"] if node["op"] == "Gemm"} == {"kept float by the recipe"}


def test_a_dry_run_with_pruning_names_the_layers_that_rules_can_be_written_for(tmp_path, capsys):
    recipe = tmp_path / "r.toml"
    recipe.write_text('[prune]\nmacs = 0.3\n[[prune.rules]]\nscope = "conv2d_3"\nmost = 0.25\n', "utf-8")
    arguments = ["convert", str(DIGITS / "digits_cnn.keras"), "-o", str(tmp_path / "out"), "--dry-run"]
    assert run([*arguments, "--recipe", str(recipe), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["prunable"]
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["conv2d_3"]["most"] == layers["conv2d_3"]["units"] // 4
    assert any(reason.startswith("digit") for reason in found["protected"])
    assert run([*arguments, "--prune", "30%"]) == 0
    assert "\n  conv2d_3: " in capsys.readouterr().out
    recipe.write_text(recipe.read_text("utf-8").replace("conv2d_3", "convolution9"), "utf-8")
    assert run([*arguments, "--recipe", str(recipe)]) == 2
    assert "no node of the model matches the scope 'convolution9'" in capsys.readouterr().err
