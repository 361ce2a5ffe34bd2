"""A clock of the tests' own, so that every figure is known beforehand and a busy machine changes none."""

from __future__ import annotations

from edgekit.latency import Candidate


class Watch:
    """A clock in nanoseconds that only moves when a call takes its time."""

    def __init__(self) -> None:
        self.now = 0
        self.order: list[str] = []

    def __call__(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)

    def candidate(self, name: str, *times_ns: int) -> Candidate:
        """A call that takes ``times_ns`` in turn, again and again."""
        turn = 0

        def call() -> None:
            nonlocal turn
            self.order.append(name)
            self.now += times_ns[turn % len(times_ns)]
            turn += 1

        return Candidate(name, call)
