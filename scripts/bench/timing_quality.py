"""Do the intervals of `edgekit bench` keep their word, and what does measuring cost? (run 5e of docs/results.md)

    EDGEKIT_DATA=<folder> python scripts/bench/timing_quality.py measure [--seconds 50] [--model FILE]
    EDGEKIT_DATA=<folder> python scripts/bench/timing_quality.py judge

``measure`` repeats `edgekit bench FILE COPY` for that long and keeps each run's JSON; call it again, now or later, until there
are 20. ``judge`` tells how many of their 90 % intervals hold the median of all runs together, how often two runs of the one
file, or the file and its copy within a run, are called different, and what a session's and the benchmark's own call add.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit as edgekit_command
from models import WORK, data_file
from overhead import CALLS_A_BLOCK, calls
from results import Figure, Result, load_average, publish

from edgekit.comparison import Verdict, judge, read_results
from edgekit.latency import Candidate, Timing, sample
from edgekit.quantiles import Quantile
from edgekit.repeats import IN_TURNS, spread

FOLDER = WORK / "timing_quality"
RUNS = 20
MODEL = "mlperf_tiny/pretrainedResnet_quant.tflite"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("step", choices=("measure", "judge"))
    parser.add_argument("--seconds", type=float, default=50.0, help="End before so much time has passed.")
    parser.add_argument("--model", type=Path, help="[default: MLPerf Tiny's ResNet8, int8]")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    model = arguments.model or data_file(MODEL)
    if arguments.step == "judge":
        return judged(arguments.folder, model)
    repeat(model, arguments.folder, arguments.seconds)
    return 0


def repeat(model: Path, folder: Path, seconds: float) -> None:
    """Runs of `edgekit bench` for that long, each in a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    first, second = (folder / f"{name}{model.suffix}" for name in ("a", "b"))
    for copy in (first, second):
        shutil.copyfile(model, copy)
    ends, longest = time.monotonic() + seconds, 0.0
    while time.monotonic() + longest < ends:
        began = time.monotonic()
        document, _ = edgekit_command("bench", first, second, "--confidence", "90%", "--keep-samples")
        number = len(list(folder.glob("run*.json")))
        (folder / f"run{number:03d}.json").write_text(json.dumps(document), "utf-8")
        longest = max(longest, time.monotonic() - began)


def judged(folder: Path, model: Path) -> int:
    load = load_average()
    files = sorted(folder.glob("run*.json"))
    if len(files) < RUNS:
        sys.exit(f"{folder} holds {len(files)} runs; measure until there are {RUNS}")
    runs = [json.loads(file.read_text("utf-8")) for file in files]
    result = Result(
        name="timing_quality",
        title=f"Timing quality ({model.name}, {len(runs)} runs of two copies)",
        figures=[*coverage_figures(runs), *difference_figures(files, runs), *overhead_figures(model)],
        timed=True,
        notes=(f"others took {_elsewhere(runs)} of the processor's time while the runs were measured",),
    )
    return publish(result, load)


def coverage_figures(runs: list[dict[str, Any]]) -> Iterator[Figure]:
    """How many intervals hold the median of all runs' samples."""
    for position, name in enumerate(("the file", "its copy")):
        latencies = [run["results"][position]["latency"] for run in runs]
        pooled = float(np.median(np.concatenate([one["samples_ns"] for one in latencies])))
        held = [one["p50_ns"]["low"] <= pooled <= one["p50_ns"]["high"] for one in latencies]
        half = statistics.median((one["p50_ns"]["high"] - one["p50_ns"]["low"]) / 2 / pooled for one in latencies)
        apart = statistics.stdev(one["p50_ns"]["value"] for one in latencies) / pooled
        beside = f"median of all {pooled / 1e3:.2f} us; half an interval {half:.1%}; runs lie {apart:.1%} apart"
        yield Figure(f"90 % intervals that hold the pooled median, {name}", 100 * _share(held), "%", 85.0, True, beside)


def difference_figures(files: list[Path], runs: list[dict[str, Any]]) -> Iterator[Figure]:
    """How often nothing is called a difference, at 95 %: between runs and within them."""
    found = [list(read_results(file)[0].values()) for file in files]
    pairs = [
        judge(old[position], new[position], confidence=0.95, limit=None).verdict is Verdict.SAME
        for old, new in combinations(found, 2)
        for position in (0, 1)
    ]
    yield Figure(
        "A against A of another run: no difference", 100 * _share(pairs), "%", 95.0, True, f"{len(pairs)} pairs"
    )
    inside = [_ratio_within(run) for run in runs]
    width = statistics.median((one.high - one.low) / 2 for one in inside)
    beside = f"{len(inside)} runs; half an interval {width:.2%}"
    yield Figure(
        "A against its copy in one run: no difference",
        100 * _share([one.low <= 1 <= one.high for one in inside]),
        "%",
        95.0,
        True,
        beside,
    )


def _ratio_within(run: dict[str, Any]) -> Quantile:
    """The copy's time over the file's at 95 %, process by process: the runs themselves were told at 90 %."""
    times = [result["latency"]["repeats_ns"] for result in run["results"]]
    ratios = [copy / own for own, copy in zip(*times, strict=True)]
    return spread(ratios).interval(run["results"][1]["ratio"]["value"], 0.95, IN_TURNS)


def overhead_figures(model: Path) -> Iterator[Figure]:
    """What edgekit's session adds to the runtime's own call, and what the benchmark's loop adds to a call: of the fastest blocks,
    since what others do on the machine is no part of either."""
    bare, session, loop = fastest(list(bare_session_and_loop(model)))
    yield Figure("session.run over the bare interpreter", session - bare, "us", 3.0, beside=f"bare {bare:.2f} us")
    yield Figure("a call timed by the benchmark over a call in a bare loop", loop - session, "us", 0.3)


def fastest(blocks: list[Callable[[], float]], rounds: int = 400) -> list[float]:
    """Microseconds a call; every round takes one block of each."""
    seen = [[block() for block in blocks] for _ in range(rounds)]
    return [min(times) / 1e3 for times in zip(*seen, strict=True)]


def bare_session_and_loop(model: Path) -> Iterator[Callable[[], float]]:
    """Blocks of calls, each the nanoseconds of a call: a bare loop over the interpreter, one over a session, and the session's
    calls timed one by one as the benchmark does."""
    bare, _, _, _, session, *_ = calls(model)

    def loop(call: Callable[[], object]) -> float:
        began = time.perf_counter_ns()
        for _ in range(CALLS_A_BLOCK):
            call()
        return (time.perf_counter_ns() - began) / CALLS_A_BLOCK

    yield lambda: loop(bare)
    yield lambda: loop(session)
    timing = Timing(min_seconds=1e-6, max_seconds=1e-3, warm_up_seconds=0.0, block_ns=2_000_000)
    yield lambda: float(statistics.fmean(sample([Candidate("", session)], timing, 1)[0].blocks_ns[-1]))


def _elsewhere(runs: list[dict[str, Any]]) -> str:
    shares = [run["elsewhere"] for run in runs if run["elsewhere"] is not None]
    return f"{100 * min(shares):.0f} to {100 * max(shares):.0f} %" if shares else "an unknown part"


def _share(held: list[bool]) -> float:
    return sum(held) / len(held)


if __name__ == "__main__":
    sys.exit(main())
