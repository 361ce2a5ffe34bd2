"""The ONNX writer: the hub plus quantize and dequantize nodes where the plan says, as ONNX Runtime fuses them."""

from edgekit_converters.writers.onnx.write import OnnxOptions, quantized_model, write_onnx

__all__ = ["OnnxOptions", "quantized_model", "write_onnx"]
