"""How long each op of a TFLite file takes, although the interpreter's Python side has no profiler.

The file's own list of operators is cut short after each op in turn, in a copy in memory, and what is left is timed: an op's
time is what its being there adds. Delegates take the ops of the shortened file as they take those of the whole one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import accumulate

from edgekit.protocols import PlacedOp, TimedOp
from edgekit_runtimes.interpreter import Interpreter
from edgekit_runtimes.tflite_cuts import first_ops

MOST_OPS = 256
"""Files with more operators are not timed op by op: every op means opening the file once more."""

_RUNS = 15
_SECONDS = 0.2


def op_times(
    content: bytes, ops: Sequence[PlacedOp], open_content: Callable[[bytes], Interpreter]
) -> tuple[TimedOp, ...]:
    """The time of every op of the file ``content``, in the order of ``ops``; nothing where there are more than `MOST_OPS`.

    The least of some runs counts, on inputs of zeros.
    """
    if len(ops) > MOST_OPS:
        return ()
    shortened = [first_ops(content, count) for count in range(1, len(ops) + 1)]
    ends = accumulate((_least_ns(open_content(part)) for part in shortened), max)
    steps = _differences(list(ends))
    return tuple(TimedOp(op, step / 1e6) for op, step in zip(ops, steps, strict=True))


def _differences(ends: Sequence[int]) -> list[int]:
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _least_ns(interpreter: Interpreter) -> int:
    interpreter.allocate_tensors()
    interpreter.invoke()
    samples: list[int] = []
    while len(samples) < _RUNS and sum(samples) < _SECONDS * 1e9:
        began = time.perf_counter_ns()
        interpreter.invoke()
        samples.append(time.perf_counter_ns() - began)
    return min(samples)
