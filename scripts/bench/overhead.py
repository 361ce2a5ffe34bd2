"""What edgekit adds to a bare runtime's call, and what starting it costs (run 5d of docs/results.md).

    EDGEKIT_DATA=<folder> python scripts/bench/overhead.py [MODEL.tflite] [--rounds 400]

Medians of interleaved blocks, on the int8 file of MLPerf Tiny's ad01 unless another is named: ``load(...).run`` over the
interpreter's set_tensor, invoke and get_tensor, with the file's own integers; with float arrays, beside the bare call with the
conversion written out in numpy; a session's run over the same bare call, and ``bind().run`` in memory allocated once over the
interpreter's invoke alone; ``import edgekit`` over ``import numpy``; and ``edgekit --help``.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from commands import edgekit as edgekit_command
from models import WORK, data_file
from numpy.typing import NDArray
from results import Figure, Result, load_average, publish
from sounds import anomaly_samples

import edgekit
from edgekit.protocols import SessionOptions
from edgekit_runtimes.litert import LiteRt

CALLS_A_BLOCK = 50


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=400)
    arguments = parser.parse_args()
    load = load_average()
    model = arguments.model or int8_ad01("tflite")
    result = Result(
        name="overhead",
        title=f"What edgekit adds to a bare runtime's call ({model.name})",
        figures=[*_call_figures(medians(calls(model), arguments.rounds)), *_start_figures()],
        timed=True,
    )
    return publish(result, load)


def int8_ad01(file_format: str) -> Path:
    out = WORK / "overhead"
    calibrate = anomaly_samples()[0]
    edgekit_command("convert", data_file("mlperf_tiny/ad01.h5"), "-o", out, "--calibrate", calibrate, "--no-checks")
    return out / f"ad01.int8.{file_format}"


def _call_figures(found: Sequence[float]) -> Iterator[Figure]:
    bare, raw, converting, real, session, invoke, bound = found
    yield Figure("bare call", bare, "us")
    yield Figure("load(...).run(raw=True) over the bare call", raw - bare, "us", 5.0)
    yield Figure("session.run over the bare call", session - bare, "us", 3.0)
    yield Figure("bare invoke, inputs and outputs left where they are", invoke, "us")
    yield Figure("session.bind().run over that", bound - invoke, "us", 3.0)
    yield Figure("bare call with the conversion to int8 and back in numpy", converting, "us")
    yield Figure(
        "load(...).run over that", real - converting, "us", 5.0, beside=f"{real - bare:.1f} over the bare call"
    )


def _start_figures() -> Iterator[Figure]:
    numpy_us, edgekit_us, help_us = medians(
        [start("import numpy"), start("import numpy, edgekit"), help_text], 15, calls=1
    )
    yield Figure("import edgekit over import numpy", (edgekit_us - numpy_us) / 1e6, "s", 0.10)
    yield Figure("edgekit --help", help_us / 1e6, "s", 0.15)


def calls(path: Path) -> list[Callable[[], object]]:
    """The bare call, edgekit's with the file's own dtype, and both again with float32 where the file is quantized."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    [slot], [result] = interpreter.get_input_details(), interpreter.get_output_details()
    model = edgekit.load(path, runtime="litert")
    [spec] = model.inputs
    own = np.ones(slot["shape"], slot["dtype"])
    real = own.astype(np.float32) if spec.quantization else own
    session = LiteRt().open(path, SessionOptions())
    feeds = {spec.name: own}
    bound = LiteRt().open(path, SessionOptions()).bind()
    bound.inputs[spec.name][:] = own

    def bare(array: NDArray[Any]) -> NDArray[Any]:
        interpreter.set_tensor(slot["index"], array)
        interpreter.invoke()
        return interpreter.get_tensor(result["index"])  # type: ignore[no-any-return]  # the package has no types

    def converting() -> object:
        return _real(bare(_integers(real, slot)), result) if spec.quantization else bare(real)

    return [
        lambda: bare(own),
        lambda: model.run({spec.name: own}, raw=True),
        converting,
        lambda: model.run({spec.name: real}),
        lambda: session.run(feeds),
        interpreter.invoke,
        bound.run,
    ]


def _integers(real: NDArray[Any], details: dict[str, Any]) -> NDArray[Any]:
    scale, zero_point = details["quantization"]
    steps = np.rint(real / np.float32(scale)) + np.float32(zero_point)
    return np.clip(steps, -128, 127).astype(details["dtype"])


def _real(integers: NDArray[Any], details: dict[str, Any]) -> NDArray[Any]:
    scale, zero_point = details["quantization"]
    return (integers.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def medians(candidates: Sequence[Callable[[], object]], rounds: int, calls: int = CALLS_A_BLOCK) -> list[float]:
    """Microseconds a call of each candidate; a round times one block of every candidate, so that drift hits all alike."""
    seen: list[list[float]] = [[] for _ in candidates]
    for _ in range(rounds):
        for candidate, times in zip(candidates, seen, strict=True):
            began = time.perf_counter_ns()
            for _ in range(calls):
                candidate()
            times.append((time.perf_counter_ns() - began) / calls / 1000)
    return [statistics.median(times) for times in seen]


def start(code: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)


def help_text() -> object:
    command = Path(sys.executable).with_name("edgekit")
    return subprocess.run([str(command), "--help"], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
