"""The reader of TensorFlow SavedModels and frozen graphs."""

from edgekit_converters.sources.tensorflow.source import TensorflowSource

__all__ = ["TensorflowSource"]
