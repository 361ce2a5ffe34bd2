"""ONNX's reference implementation as a runtime of edgekit."""
