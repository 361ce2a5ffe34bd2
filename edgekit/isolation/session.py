"""`open_session`: a framework kept open in a child process, which answers feeds."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import FeedError
from edgekit.isolation.host import Host
from edgekit.isolation.messages import Call, Limits, Open, Opened, Place, Run
from edgekit.isolation.process import ChildProcess
from edgekit.protocols import Feeds, Placement, Progress, Silent


def open_session(
    function: str,
    request: object,
    progress: Progress | None = None,
    *,
    stage: str | None = None,
    limits: Limits | None = None,
    host: Host | None = None,
) -> RemoteSession:
    """The Session that ``function`` ("module:name") returns for ``(request, progress)``, living in a child process.

    ``limits.seconds`` holds for the opening and for each run. Close the session: the child lives as long as it.
    Raises as `edgekit.isolation.run`.
    """
    limits = limits or Limits()
    child = ChildProcess(limits, stage or function, host)
    try:
        opened = child.ask(Open(Call(function, request, limits.memory_bytes)), progress or Silent()).value
        return RemoteSession(child, opened)
    except BaseException:
        child.stop()
        raise


class RemoteSession:
    """An `edgekit.protocols.Session` whose model lives in a child process."""

    def __init__(self, child: ChildProcess, opened: Opened) -> None:
        self._child = child
        self._opened = opened
        self._end = weakref.finalize(self, child.stop)

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        return self._opened.inputs

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        return self._opened.outputs

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        check_feeds(self.inputs, feeds)
        outputs: dict[str, NDArray[Any]] = self._child.ask(Run(feeds), Silent()).value
        return outputs

    def placement(self) -> Placement:
        placement: Placement = self._child.ask(Place(), Silent()).value
        return placement

    def close(self) -> None:
        if self._end.detach() is not None:
            self._child.close_gently()

    def __enter__(self) -> RemoteSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_feeds(inputs: Sequence[TensorSpec], feeds: Feeds) -> None:
    """Raises FeedError when names, dtypes or shapes are not those of the inputs."""
    expected = [spec.name for spec in inputs]
    if set(feeds) != set(expected):
        raise FeedError(f"the feeds are named {sorted(feeds)}; the model's inputs are {expected}")
    for spec in inputs:
        array = feeds[spec.name]
        if array.dtype != np.dtype(spec.dtype):
            raise FeedError(f"input {spec.name!r} was given {array.dtype}; it takes {spec.dtype}")
        fits = len(array.shape) == len(spec.shape) and all(
            isinstance(want, str) or want == got for want, got in zip(spec.shape, array.shape, strict=True)
        )
        if not fits:
            raise FeedError(f"input {spec.name!r} was given the shape {array.shape}; it takes {spec.shape}")
