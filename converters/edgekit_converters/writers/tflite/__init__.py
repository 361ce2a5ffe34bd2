"""The TFLite writer: a flatbuffer made directly from the hub, with no TensorFlow."""

from __future__ import annotations

from edgekit_converters.writers.tflite.options import TfliteOptions
from edgekit_converters.writers.tflite.write import write_tflite

__all__ = ["TfliteOptions", "write_tflite"]
