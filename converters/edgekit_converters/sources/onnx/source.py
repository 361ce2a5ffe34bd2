"""`OnnxSource`: ONNX files to hubs, and ONNX Runtime on the original file as the reference."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edgekit.protocols import Availability, ReadOptions, Session
from edgekit_converters.hub.model import IR_VERSION, Hub
from edgekit_converters.sources.onnx.load import load_model
from edgekit_converters.sources.onnx.upgrade import upgrade


class OnnxSource:
    """Reads any ``.onnx`` file of opset 7 and up."""

    name = "onnx"

    def matches(self, path: Path) -> bool:
        return path.suffix.lower() == ".onnx"

    def probe(self) -> Availability:
        try:
            return Availability(True, version("onnx"))
        except PackageNotFoundError:
            return Availability(False, reason="onnx is not installed", remedy="pip install 'edgekit-ml[convert]'")

    def read(self, path: Path, options: ReadOptions) -> Hub:
        """The hub of the model. Raises SourceError and its kind."""
        model = load_model(path)
        upgrade(model, path)
        model.ir_version = IR_VERSION
        return Hub(model, "onnx", path)

    def reference(self, path: Path, options: ReadOptions) -> Session | None:
        return None
