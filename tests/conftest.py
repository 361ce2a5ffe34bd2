"""The small trained network that the repository ships, for every test of the whole path."""

from __future__ import annotations

from pathlib import Path

import pytest
from conversion import DIGITS, convert


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network as a float ONNX file: its own framework is there wherever the tests run."""
    folder = tmp_path_factory.mktemp("digits")
    made = convert(DIGITS / "digits_cnn.keras", folder, "--precision", "float32", "--to", "onnx", "--no-checks")
    assert made.code == 0, made.err
    return (folder / "digits_cnn.float32.onnx").rename(folder / "digits.onnx")
