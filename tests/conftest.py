"""For all tests: the small trained network that the repository ships, and examples of hypothesis that may take their time."""

from __future__ import annotations

from pathlib import Path

import pytest
from conversion import DIGITS, convert


def pytest_configure(config: pytest.Config) -> None:
    """How long an example takes says how busy the machine is. Environments for some of the tests are without hypothesis."""
    if config.pluginmanager.hasplugin("hypothesispytest"):
        from hypothesis import settings

        settings.register_profile("unhurried", deadline=None)
        settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network as a float ONNX file: its own framework is there wherever the tests run."""
    folder = tmp_path_factory.mktemp("digits")
    made = convert(DIGITS / "digits_cnn.keras", folder, "--precision", "float32", "--to", "onnx", "--no-checks")
    assert made.code == 0, made.err
    return (folder / "digits_cnn.float32.onnx").rename(folder / "digits.onnx")
