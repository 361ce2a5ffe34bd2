"""What a device adds: is a latency there that of the bare machine, are answers equal, what does an answer cost on the way?

    EDGEKIT_DATA=<folder> python scripts/bench/devices.py [MODEL.tflite] [--device local] [--rounds 6]

With ``--device local``, or an SSH server on loopback, device and machine are the same, so that every difference is the way's. The
model is MLPerf Tiny's int8 ResNet8 unless another is named. The peer is ``ssh`` itself: a command that does nothing, on the same
connection.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from models import data_file
from results import Figure, Result, load_average, publish

from edgekit.benchmark import benchmark, contender
from edgekit.devices import Address, Device, opened_model
from edgekit.devices.inventory import find_address
from edgekit.devices.runner import runner
from edgekit.example_feeds import example_feeds
from edgekit.latency import Timing
from edgekit.place import Place, reached

SAMPLES = 200


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--device", default="local")
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()
    load = load_average()
    model = arguments.model or data_file("mlperf_tiny/pretrainedResnet_quant.tflite")
    address = find_address(arguments.device)
    result = Result(
        name="devices",
        title=f"{model.name} on the device {address.name}",
        figures=[*_latency(model, address, arguments.rounds), *_answers(model, address), *_contact(address)],
        timed=True,
    )
    return publish(result, load)


def _latency(model: Path, address: Address, rounds: int) -> list[Figure]:
    """Rounds in turn, so that a drift of the machine hits both."""
    timing = Timing(min_seconds=1.0, warm_up_seconds=1.0)
    here, there = [], []
    with reached(None) as own, reached(address) as device:
        for _ in range(rounds):
            here.append(_p50_us(model, own, timing))
            there.append(_p50_us(model, device, timing))
    ratio = statistics.median(one / other for one, other in zip(there, here, strict=True))
    spread = max(here) / min(here) - 1
    return [
        Figure("median latency here", statistics.median(here), "us", beside=f"rounds differ by {100 * spread:.1f} %"),
        Figure("median latency there", statistics.median(there), "us"),
        Figure("there over here", ratio, "", 1.03 if address.scheme == "local" else None),
    ]


def _p50_us(model: Path, place: Place, timing: Timing) -> float:
    (timed,) = benchmark([contender(model, place=place)], timing, place=place).results
    return timed.latency.p50_ns.value / 1e3


def _answers(model: Path, address: Address) -> list[Figure]:
    with opened_model(model, None) as here, opened_model(model, address) as there:
        feeds = [example_feeds(here.inputs, seed) for seed in range(SAMPLES)]
        own, other = ([run.run(one, raw=True) for one in feeds] for run in (here, there))
        equal = [all(np.array_equal(a[name], b[name]) for name in a) for a, b in zip(own, other, strict=True)]
        bare = _median_us(lambda: here.run(feeds[0], raw=True))
        away = _median_us(lambda: there.run(feeds[0], raw=True))
    return [
        Figure(
            "answers equal to those here",
            float(np.mean(equal)),
            "",
            1.0 if address.scheme == "local" else None,
            at_least=True,
            beside=f"{SAMPLES} random inputs",
        ),
        Figure("an answer from there over one here", away - bare, "us"),
    ]


def _contact(address: Address) -> list[Figure]:
    began = time.perf_counter()
    with Device.open(address) as device:
        device.runner()
        contact = time.perf_counter() - began
        nothing = _median_us(lambda: device.transport.run(["true"]), calls=20)
    size = len(runner()[1])
    return [
        Figure("first contact, the runner being there", contact, "s"),
        Figure("a command that does nothing", nothing / 1e3, "ms"),
        Figure("the runner", size / 1e3, "kB"),
    ]


def _median_us(call: Callable[[], object], calls: int = 200) -> float:
    times = []
    for _ in range(calls):
        began = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - began)
    return statistics.median(times) / 1e3


if __name__ == "__main__":
    raise SystemExit(main())
