"""Each example of an architecture runs as it stands, and the commands that it prints make good files."""

from __future__ import annotations

import importlib.util
import math
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conversion import convert

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples" / "architectures"
LEAST_SQNR_DB = 24.0
"""Networks of a few thousand weights trained for seconds; benchmarks hold the figures of trained ones."""


def needs(package: str, *marks: pytest.MarkDecorator) -> list[pytest.MarkDecorator]:
    missing = importlib.util.find_spec(package) is None
    return [pytest.mark.slow, pytest.mark.skipif(missing, reason=f"{package} is not installed"), *marks]


RUNNABLE = [
    pytest.param("recurrent_keras", 2, marks=needs("keras", pytest.mark.tensorflow)),
    pytest.param("transformer_pytorch", 1, marks=needs("torch", pytest.mark.pytorch)),
    pytest.param("vae_pytorch", 2, marks=needs("torch", pytest.mark.pytorch)),
    pytest.param("gan_pytorch", 2, marks=needs("torch", pytest.mark.pytorch)),
    pytest.param("huggingface_text", 1, marks=needs("transformers", pytest.mark.pytorch)),
]


@pytest.mark.parametrize(("name", "models"), RUNNABLE)
def test_the_example_runs_and_its_commands_convert(name: str, models: int, tmp_path: Path) -> None:
    commands = printed_commands(name, tmp_path)
    assert len(commands) == models
    for program, verb, model, option, out, *options in commands:
        assert (program, verb, option) == ("edgekit", "convert", "-o")
        made = convert(model, Path(out), *options)
        assert made.code == 0, made.err or made.document
        artifacts = [entry for entry in made.document["entries"] if entry["role"] == "artifact"]
        assert {entry["format"] for entry in artifacts} == {"tflite", "onnx"}
        found = [entry["agreement"]["sqnr_db"] for entry in artifacts]
        assert all(math.isfinite(decibels) and decibels > LEAST_SQNR_DB for decibels in found), found


def printed_commands(name: str, folder: Path) -> list[list[str]]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", folder], capture_output=True, text=True, env=environment, timeout=240
    )
    assert ran.returncode == 0, ran.stderr
    return [shlex.split(line) for line in ran.stdout.splitlines() if line.startswith("edgekit convert")]


def test_every_example_of_an_architecture_is_run_here() -> None:
    named = {param.values[0] for param in RUNNABLE}
    assert {path.stem for path in EXAMPLES.glob("*.py")} - {"digit_samples"} == named
