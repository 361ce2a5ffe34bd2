"""What the tests of several runtimes open."""

from __future__ import annotations

from pathlib import Path

import pytest
from conversion import DIGITS, UNCHECKED, convert


@pytest.fixture(scope="session")
def integer_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small int8 network that begins and ends in int8, without float operators; its softmax is no op of XNNPACK's."""
    options = (*UNCHECKED, "--to", "tflite", "--integer-only", "--io", "int8")
    made = convert(DIGITS / "digits_cnn.keras", tmp_path_factory.mktemp("integer_digits"), *options)
    assert made.code == 0, made.err
    return made.out / "digits_cnn.int8.tflite"
