"""The reader of PyTorch files."""

from edgekit_converters.sources.pytorch.source import PytorchSource

__all__ = ["PytorchSource"]
