"""The reader of ONNX files."""

from edgekit_converters.sources.onnx.source import OnnxSource

__all__ = ["OnnxSource"]
