"""Hand nodes, in order, to the functions that write them."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.errors import UnsupportedOpError
from edgekit_converters.writers.tflite.graph import FlatGraph
from edgekit_converters.writers.tflite.node import HubNode
from edgekit_converters.writers.tflite.spell import DEFINED
from edgekit_converters.writers.tflite.spelling import spelled_ops
from edgekit_converters.writers.tflite.table import lowering_of, supported_ops


def write_nodes(nodes: Iterable[HubNode], out: FlatGraph) -> None:
    """Raises UnsupportedOpError for a node that can't be written."""
    for node in nodes:
        if out.is_absorbed(node):
            continue
        if node.op in _RANDOM:
            raise UnsupportedOpError(node.op, node.name, "TFLite", _NO_NOISE)
        lowering = lowering_of(node.op)
        if lowering is None:
            known = {*supported_ops(), *spelled_ops(), *DEFINED} - {node.op}
            raise UnsupportedOpError(node.op, node.name, "TFLite", supported=known)
        out.tape.name_after(node.name)
        lowering(node, out)


_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
_NO_NOISE = (
    "a file that draws random numbers can't be compared or calibrated. Convert the mean path of a variational network, or make "
    "the noise an input (docs/architectures/generative.md)"
)
