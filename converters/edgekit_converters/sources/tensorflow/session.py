"""TensorFlow answering feeds: the reference, and what the export is checked against. Runs in a child process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import FeedError
from edgekit.protocols import Feeds, Placement, Progress
from edgekit_converters.sources.tensorflow.function import Endpoint, Function

if TYPE_CHECKING:
    from edgekit_converters.sources.tensorflow.requests import FunctionRequest

BATCH = "batch"


def open_reference(request: FunctionRequest, progress: Progress) -> TensorflowSession:
    """The session of a model's function."""
    from edgekit_converters.sources.tensorflow.load import load

    return TensorflowSession(load(request.path))


class TensorflowSession:
    """An `edgekit.protocols.Session` over a function."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self.inputs = tuple(_spec(end) for end in function.inputs)
        self.outputs = tuple(_spec(end) for end in function.outputs)

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        import tensorflow as tf

        try:
            results = self._function.call({name: tf.constant(array) for name, array in feeds.items()})
        except (tf.errors.InvalidArgumentError, ValueError, TypeError) as error:
            raise FeedError(f"TensorFlow refuses these inputs: {' '.join(str(error).split())[:300]}") from error
        return {spec.name: results[spec.name].numpy() for spec in self.outputs}

    def placement(self) -> Placement:
        return Placement((), notes=("TensorFlow on the CPU",))

    def close(self) -> None: ...


def _spec(end: Endpoint) -> TensorSpec:
    names = (BATCH, *(f"{end.name}_dim_{axis}" for axis in range(1, len(end.shape))))
    return TensorSpec(
        end.name, end.dtype, tuple(name if dim is None else dim for name, dim in zip(names, end.shape, strict=True))
    )
