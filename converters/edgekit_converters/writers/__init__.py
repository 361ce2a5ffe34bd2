"""Write a hub and its plan as ONNX or TFLite."""
