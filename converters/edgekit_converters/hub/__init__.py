"""The hub: one float32 ONNX model between reading and writing, its builder and its normalize passes."""

from edgekit_converters.hub.model import IR_VERSION, OPSET, Hub

__all__ = ["IR_VERSION", "OPSET", "Hub"]
