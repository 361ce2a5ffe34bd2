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
