"""The direct reader of Keras files: `.keras` and whole-model `.h5`, without keras, without running code of the file."""

from edgekit_converters.sources.keras.source import KerasSource

__all__ = ["KerasSource"]
