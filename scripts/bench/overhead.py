"""What edgekit adds to a bare runtime's call, and what starting it costs.

    python scripts/bench/overhead.py MODEL.tflite [--rounds 400]

Prints, as medians of interleaved blocks: ``load(...).run`` over the interpreter's set_tensor, invoke and get_tensor,
with the file's own integers; with float arrays, beside the bare call with the conversion written out in numpy;
``import edgekit`` over ``import numpy``; and ``edgekit --help``.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgekit

CALLS_A_BLOCK = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=400)
    arguments = parser.parse_args()
    bare, raw, converting, real = medians(calls(arguments.model), arguments.rounds)
    print(f"bare call            {bare:8.2f} us")
    print(f"run(raw)             {raw:8.2f} us  +{raw - bare:.2f}")
    print(f"bare with conversion {converting:8.2f} us  +{converting - bare:.2f}")
    print(f"run                  {real:8.2f} us  +{real - bare:.2f}")
    numpy_s, edgekit_s, help_s = medians(
        [start("import numpy"), start("import numpy, edgekit"), help_text], 15, calls=1
    )
    print(f"import edgekit over import numpy {(edgekit_s - numpy_s) / 1e6:.3f} s")
    print(f"edgekit --help {help_s / 1e6:.3f} s")


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
    main()
