"""`RunQueue`: many runs at once, for throughput rather than latency. Several opened copies of a model, each run by one thread.

The engines let other threads run while they compute. Each copy is used by one thread at a time, so that engines that may not
be called twice at once need no lock of their own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Any, final

from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.protocols import Feeds

Outputs = dict[str, NDArray[Any]]
Run = Callable[[Feeds], Outputs]


@final
class RunQueue:
    """Runs feeds on ``runs``, one thread each; at most ``waiting`` more may wait. Use it in a ``with`` block.

    ``close`` is called once, when all work is done.
    """

    def __init__(self, runs: Sequence[Run], waiting: int, close: Callable[[], None]) -> None:
        if not runs or waiting < 0:
            raise UsageError(f"a queue has {len(runs)} workers and {waiting} places to wait; expected 1 and 0 or more")
        self._ahead = len(runs) + waiting
        self._idle: SimpleQueue[Run] = SimpleQueue()
        for run in runs:
            self._idle.put(run)
        self._places = threading.Semaphore(self._ahead)
        self._threads = ThreadPoolExecutor(len(runs), thread_name_prefix="edgekit-run")
        self._close = close
        self._open = True

    def submit(self, feeds: Feeds) -> Future[Outputs]:
        """The answer to come; waits while the queue is full. The arrays may not change until the answer is there.

        Its ``result()`` raises what the run raised: FeedError for a wrong name, shape or dtype.
        """
        if not self._open:
            raise UsageError("the queue is closed; make another one")
        self._places.acquire()
        try:
            future = self._threads.submit(self._run, feeds)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(lambda done: self._places.release())
        return future

    def map(self, stream: Iterable[Feeds]) -> Iterator[Outputs]:
        """The answers in the order of ``stream``, which is read only as far ahead as there are places in the queue."""
        pending: deque[Future[Outputs]] = deque()
        for feeds in stream:
            pending.append(self.submit(feeds))
            while pending and (pending[0].done() or len(pending) >= self._ahead):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def close(self) -> None:
        """Wait for all work and free the copies; a later submit raises UsageError."""
        if self._open:
            self._open = False
            self._threads.shutdown(wait=True)
            self._close()

    def _run(self, feeds: Feeds) -> Outputs:
        run = self._idle.get()
        try:
            return run(feeds)
        finally:
            self._idle.put(run)

    def __enter__(self) -> RunQueue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
