"""A clock of the tests' own, so that every figure is known beforehand and a busy machine changes none."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.benchmark import Contender, Sampled, SamplingRequest
from edgekit.latency import Candidate, sample
from edgekit.protocols import Silent


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


def scripted_sampling(call_ns: Callable[[Contender], int]) -> Callable[[SamplingRequest], Sampled]:
    """What answers for ``edgekit.benchmark:sample_here`` where a call of each file takes as long as ``call_ns`` says."""

    def answer(request: SamplingRequest) -> Sampled:
        watch, contenders = Watch(), request.contenders
        candidates = [watch.candidate(each.path.name, call_ns(each)) for each in contenders]
        series = sample(candidates, request.timing, request.min_runs, Silent(), watch)
        samples = tuple((each.workload.batch or 1) * each.workload.streams for each in contenders)
        return Sampled(tuple(series), samples, None)

    return answer
