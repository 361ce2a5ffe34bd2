"""The readers that come with edgekit keep what every reader promises: the suite that plug-ins go through (edgekit.testing)."""

from __future__ import annotations

from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import pytest

from edgekit import isolation, registry
from edgekit.protocols import Source
from edgekit.testing import SourceConformance

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


def needs(package: str, *marks: pytest.MarkDecorator) -> list[pytest.MarkDecorator]:
    return [pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed"), *marks]


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written in a process of its own, as all of these, since a framework stays in the one that imports it."""
    folder = tmp_path_factory.mktemp("saved") / "digits"
    isolation.run("conformance_frameworks:save_digits", str(folder))
    return folder


@pytest.fixture(scope="module")
def exported_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    isolation.run("conformance_frameworks:export_network", str(path))
    return path


@pytest.fixture(scope="module")
def transformer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "vit"
    isolation.run("conformance_frameworks:save_transformer", str(folder))
    return folder


class BuiltinConformance(SourceConformance):
    """``reader``: its name in the registry."""

    reader: str

    @pytest.fixture
    def source(self) -> Source:
        return registry.source(self.reader)


class TestOnnx(BuiltinConformance):
    reader = "onnx"

    @pytest.fixture
    def example(self, tmp_path: Path) -> Path:
        path = tmp_path / "pair.onnx"
        path.write_bytes((resources.files("edgekit.testing") / "models" / "pair.onnx").read_bytes())
        return path


class TestKeras(BuiltinConformance):
    reader = "keras"
    pytestmark = needs("keras", pytest.mark.tensorflow)

    @pytest.fixture
    def example(self) -> Path:
        return DIGITS / "digits_cnn.keras"


class TestTensorflow(BuiltinConformance):
    reader = "tensorflow"
    pytestmark = needs("tf2onnx", pytest.mark.tensorflow, pytest.mark.slow)

    @pytest.fixture
    def example(self, saved_model: Path) -> Path:
        return saved_model


class TestPytorch(BuiltinConformance):
    reader = "pytorch"
    pytestmark = needs("torch", pytest.mark.pytorch, pytest.mark.slow)

    @pytest.fixture
    def example(self, exported_program: Path) -> Path:
        return exported_program


class TestHuggingface(BuiltinConformance):
    reader = "huggingface"
    pytestmark = needs("transformers", pytest.mark.pytorch, pytest.mark.slow)

    @pytest.fixture
    def example(self, transformer_folder: Path) -> Path:
        return transformer_folder
