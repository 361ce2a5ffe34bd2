"""The models that every runtime must run alike, written once a session in the formats there are."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``pair.onnx`` and ``pair.tflite`` and the like."""
    from conformance_models import write_models

    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder
