"""Time files against one another, draw the figures, and keep them for comparing later runs.

python examples/benchmark.py out/model.int8.tflite out/model.float32.tflite
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgekit.bench_document import document
from edgekit.bench_html import html
from edgekit.bench_plan import BenchPlan, carry_out
from edgekit.comparison import compare
from edgekit.latency import Timing
from edgekit.place import Here
from edgekit.protocols import Silent


def main(*files: str, processes: int = 10, seconds: float = 2.0) -> None:
    plan = BenchPlan(tuple(map(Path, files)), timing=Timing(min_seconds=seconds), processes=processes)
    found = document(carry_out(plan, Here(), Silent()))
    for result in found["results"]:
        p50, ratio = result["latency"]["p50_ns"], result["ratio"]
        times = ", ".join(f"{p50[end] / 1e6:.4g}" for end in ("low", "value", "high"))
        print(f"{Path(result['file']).name}: {times} ms; {ratio['value']:.3f} times the first")
    Path("bench.html").write_text(html(found), "utf-8")
    kept = Path("bench.json")
    if kept.exists():
        for difference in compare(kept, _written(Path("bench.new.json"), found)).differences:
            print(f"{difference.what}: {difference.verdict.value} ({difference.ratio.value:.3f})")
    else:
        _written(kept, found)


def _written(path: Path, found: object) -> Path:
    path.write_text(json.dumps(found), "utf-8")
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
