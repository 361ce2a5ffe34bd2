"""examples/plugin_runtime, installed beside edgekit in an environment of its own, passes its own tests there."""

from __future__ import annotations

from pathlib import Path

import pytest
from separate_environments import ROOT, new_environment, passes

PLUGIN = ROOT / "examples" / "plugin_runtime"


@pytest.mark.slow
def test_the_example_package_installs_and_passes_the_conformance_suites(tmp_path: Path) -> None:
    python = new_environment(tmp_path / "environment", f"{ROOT}[convert,testing]", PLUGIN)
    assert "skipped" not in passes(python, "-W", "error", PLUGIN / "tests", cwd=tmp_path, fewest=34)
