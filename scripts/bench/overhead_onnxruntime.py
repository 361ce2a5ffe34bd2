"""What edgekit adds to a bare call of ONNX Runtime, and what the queue gains (docs/results.md, section 5).

    EDGEKIT_DATA=<folder> python scripts/bench/overhead_onnxruntime.py [MODEL.onnx] [--rounds 400]

Medians of interleaved blocks, on the int8 file of MLPerf Tiny's ad01 unless another is named: a session's ``run`` and
``load(...).run(raw=True)`` over ``InferenceSession.run`` with the same settings; ``bind().run`` over ``run_with_iobinding``. Then
runs a second on one copy in a loop and on two copies by ``queue``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from overhead import int8_ad01, medians
from results import Figure, Result, load_average, publish

import edgekit
from edgekit.example_feeds import example_feeds
from edgekit.protocols import SessionOptions
from edgekit_runtimes.onnxruntime import OnnxRuntime
from edgekit_runtimes.onnxruntime_native import native_options

LIMIT_US = 3.0
QUEUED_RUNS = 4000


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=400)
    arguments = parser.parse_args()
    load = load_average()
    model = arguments.model or int8_ad01("onnx")
    result = Result(
        name="overhead_onnxruntime",
        title=f"What edgekit adds to a bare call of ONNX Runtime ({model.name})",
        figures=[*_call_figures(medians(calls(model), arguments.rounds)), *_queue_figures(model)],
        timed=True,
    )
    return publish(result, load)


def _call_figures(found: Sequence[float]) -> Iterator[Figure]:
    bare, session, model, binding, bound = found
    yield Figure("bare call", bare, "us")
    yield Figure("session.run over the bare call", session - bare, "us", LIMIT_US)
    yield Figure("load(...).run(raw=True) over the bare call", model - bare, "us", LIMIT_US)
    yield Figure("bare call with I/O binding", binding, "us")
    yield Figure("bind().run over that", bound - binding, "us", LIMIT_US)


def calls(path: Path) -> list[Callable[[], object]]:
    import onnxruntime

    options = SessionOptions()
    bare = onnxruntime.InferenceSession(
        str(path), native_options(options, (), path), providers=["CPUExecutionProvider"]
    )
    session, model, bound = OnnxRuntime().open(path, options), edgekit.load(path), edgekit.load(path)
    feeds = example_feeds(session.inputs)
    names = [spec.name for spec in session.outputs]
    memory = bound.bind({name: array.shape for name, array in feeds.items()})
    binding = bare.io_binding()
    for name, array in feeds.items():
        memory.inputs[name][:] = array
        binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
    answers = {name: np.zeros_like(array) for name, array in memory.outputs.items()}
    for name, array in answers.items():
        binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

    def bare_bound() -> object:
        bare.run_with_iobinding(binding)
        return answers  # which the binding writes and does not keep alive

    return [
        lambda: bare.run(names, feeds),
        lambda: session.run(feeds),
        lambda: model.run(feeds, raw=True),
        bare_bound,
        memory.run,
    ]


def _queue_figures(path: Path) -> Iterator[Figure]:
    with edgekit.load(path) as model:
        feeds = example_feeds(model.inputs)
        began = time.perf_counter()
        for _ in range(QUEUED_RUNS):
            model.run(feeds, raw=True)
        alone = QUEUED_RUNS / (time.perf_counter() - began)
        with model.queue(workers=2, waiting=6) as queue:
            began = time.perf_counter()
            for _ in queue.map(feeds for _ in range(QUEUED_RUNS)):
                pass
            queued = QUEUED_RUNS / (time.perf_counter() - began)
    yield Figure("runs a second in a loop", alone, "/s")
    yield Figure("runs a second by queue(workers=2)", queued, "/s", beside=f"{queued / alone:.2f} times")


if __name__ == "__main__":
    sys.exit(main())
