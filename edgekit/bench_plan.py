"""All that one `edgekit bench` measures at one place: what the command, a device group and a suite share."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekit import registry
from edgekit.benchmark import Benchmark, Contender, benchmark, contender, opens_alike
from edgekit.errors import MeasurementError, UsageError
from edgekit.figures import PlacementSummary
from edgekit.gates import PlacementGates, judged_apart
from edgekit.latency import Timing
from edgekit.load_cost import LoadRequest
from edgekit.place import Place
from edgekit.power import Energy, find_meter, measure_energy
from edgekit.protocols import Delegate, Profiler, Progress, TimedOp
from edgekit.report import Limit
from edgekit.sample_feeds import with_sample
from edgekit.sustained import Sustained, sustain
from edgekit.workload import Workload, open_work


class Scenario(enum.Enum):
    """MLPerf's: one query after the other, or a queue worked off as fast as the machine can."""

    SINGLE_STREAM = "single-stream"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What to time: every file with every number of threads, batch and number of streams.

    ``runtimes``: each opens the files of its formats; empty: the first installed one. ``batches`` and ``streams`` may be empty:
    the file's own batch; one stream, and offline one a core as well.
    ``sustained_seconds``: run each file without a pause for so long, afterwards. ``keep_samples``: every single run too.
    """

    files: tuple[Path, ...]
    scenario: Scenario = Scenario.SINGLE_STREAM
    runtimes: tuple[str, ...] = ()
    threads: tuple[int, ...] = (1,)
    delegates: tuple[Delegate, ...] = ()
    batches: tuple[int, ...] = ()
    streams: tuple[int, ...] = ()
    samples: str | None = None
    timing: Timing = field(default_factory=Timing)
    processes: int = 10
    starts: int = 3
    profile: bool = False
    energy: bool = False
    sustained_seconds: float | None = None
    keep_samples: bool = False
    gates: PlacementGates = field(default_factory=PlacementGates)


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the time of a file's run goes, op by op in its runtime's own graph."""

    file: str
    runtime: str
    threads: int
    ops: tuple[TimedOp, ...]


@dataclass(frozen=True, slots=True)
class EnergyFound:
    """A file's energy, or why there is none."""

    file: str
    runtime: str
    threads: int
    energy: Energy | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BenchRecord:
    """All that was found. ``placements`` by file, where the plan has gates, and the ``limits`` that they are."""

    scenario: Scenario
    benchmark: Benchmark
    profiles: tuple[Profile, ...] = ()
    energies: tuple[EnergyFound, ...] = ()
    sustained: tuple[Sustained, ...] = ()
    placements: Mapping[str, PlacementSummary] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()

    @property
    def exit_code(self) -> int:
        return 0 if all(limit.passed for limit in self.limits) else 1


def carry_out(plan: BenchPlan, place: Place, progress: Progress) -> BenchRecord:
    """Measure at that place. Raises as `edgekit.benchmark.benchmark`."""
    contenders = list(_contenders(plan, place))
    measured = benchmark(
        contenders,
        plan.timing,
        processes=plan.processes,
        starts=plan.starts,
        keep_samples=plan.keep_samples,
        progress=progress,
        place=place,
    )
    single = [one for number, one in enumerate(contenders) if not any(opens_alike(one, e) for e in contenders[:number])]
    placements = _placements(single, plan.gates, place, progress) if plan.gates else {}
    return BenchRecord(
        plan.scenario,
        measured,
        tuple(_profile(one, place) for one in single) if plan.profile else (),
        tuple(_energy(one, place) for one in single) if plan.energy else (),
        tuple(sustain(one, plan.sustained_seconds, place, progress) for one in single)
        if plan.sustained_seconds is not None
        else (),
        placements,
        tuple(limit for name, found in placements.items() for limit in plan.gates.limits(name, found)),
    )


def _contenders(plan: BenchPlan, place: Place) -> Iterator[Contender]:
    batches: Sequence[int | None] = plan.batches or (None,)
    streams = plan.streams or _streams(plan.scenario, place)
    for (file, runtime), threads in itertools.product(list(_pairs(plan)), plan.threads):
        plain = contender(file, runtime=runtime, threads=threads, delegates=plan.delegates, place=place)
        fed = with_sample(plain, plan.samples, place) if plan.samples is not None else plain
        for batch, count in itertools.product(batches, streams):
            yield replace(fed, workload=Workload(batch, count))


def _pairs(plan: BenchPlan) -> Iterator[tuple[Path, str | None]]:
    """Every file with the runtimes that open its format. Raises UsageError for a file with none."""
    for file in plan.files:
        file_format = file.suffix.removeprefix(".")
        fitting = [name for name in plan.runtimes if file_format in registry.runtime(name).formats]
        if plan.runtimes and not fitting:
            raise UsageError(
                f"none of {', '.join(plan.runtimes)} opens {file.name}; edgekit runtimes lists what each opens"
            )
        choices: list[str | None] = [*fitting] or [None]
        yield from ((file, name) for name in choices)


def _streams(scenario: Scenario, place: Place) -> tuple[int, ...]:
    if scenario is Scenario.SINGLE_STREAM:
        return (1,)
    cores = place.conditions().cores
    return (1, cores) if cores > 1 else (1,)


def _placements(
    contenders: Sequence[Contender], gates: PlacementGates, place: Place, progress: Progress
) -> dict[str, PlacementSummary]:
    """Where the ops of each file ran, by the file's name."""
    found = {}
    for each in contenders:
        session = place.open_file(each.path, each.runtime, each.options)
        found[str(each.path)] = judged_apart(session.placement(), each.path, each.options.delegates, gates, progress)
        session.close()
    return found


def _profile(one: Contender, place: Place) -> Profile:
    request = LoadRequest(place.send(one.path), one.runtime, one.options)
    ops = place.run("edgekit.bench_plan:profile_here", request, stage=f"profiling {one.path.name}").value
    return Profile(str(one.path), one.runtime, one.options.threads, ops)


def profile_here(request: LoadRequest, progress: Progress) -> tuple[TimedOp, ...]:
    """The time of each op; what a process of `carry_out` answers. Raises MeasurementError where the runtime can't tell."""
    runtime = registry.runtime(request.runtime)
    if not isinstance(runtime, Profiler):
        raise MeasurementError(f"{request.runtime} can't tell the time of single ops; leave --profile out")
    return runtime.op_times(request.path, request.options)


def _energy(one: Contender, place: Place) -> EnergyFound:
    sent = replace(one, path=place.send(one.path))
    found = place.run("edgekit.bench_plan:energy_here", sent, stage=f"energy of {one.path.name}").value
    reason = "" if found else "the machine tells neither energy (RAPL) nor power (INA3221, the power chip of a Pi 5)"
    return EnergyFound(str(one.path), one.runtime, one.options.threads, found, reason)


def energy_here(one: Contender, progress: Progress) -> Energy | None:
    """The energy of a run; what a process of `carry_out` answers."""
    meter = find_meter()
    if meter is None:
        return None
    work = open_work(one.path, registry.runtime(one.runtime), one.options, one.workload, one.feeds)
    work.call()
    energy = measure_energy(work.call, meter, work.runs)
    meter.close()
    work.close()
    return energy
