"""The models that every runtime must run alike, written once a session in the formats there are.

A run in an environment without the converters takes them from the folder that EDGEKIT_CONFORMANCE_MODELS names.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``pair.onnx`` and ``pair.tflite`` and the like."""
    prepared = os.environ.get("EDGEKIT_CONFORMANCE_MODELS")
    if prepared:
        return Path(prepared)
    from conformance_models import write_models

    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder
