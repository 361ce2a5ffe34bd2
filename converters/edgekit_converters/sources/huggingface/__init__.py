"""The reader of Hugging Face model folders."""

from edgekit_converters.sources.huggingface.source import HuggingfaceSource

__all__ = ["HuggingfaceSource"]
