"""What a model file holds, without running it: `inspect_file`."""

from edgekit_converters.inspection.contents import Contents, Node, OpCount, Scheme, Tensor
from edgekit_converters.inspection.inspect_file import inspect_file, inspect_here

__all__ = ["Contents", "Node", "OpCount", "Scheme", "Tensor", "inspect_file", "inspect_here"]
