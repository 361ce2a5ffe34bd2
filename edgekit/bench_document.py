"""A `BenchRecord` as the JSON document edgekit.bench/1 and as CSV rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import UsageError
from edgekit.json_text import plain

if TYPE_CHECKING:
    from edgekit.bench_plan import BenchRecord

SCHEMA = "edgekit.bench/1"

COLUMNS = (
    "device", "file", "runtime", "runtime_version", "delegates", "threads", "streams", "samples", "p50_ns", "p50_low_ns",
    "p50_high_ns", "p90_ns", "p99_ns", "runs", "processes", "steady", "samples_per_second", "ratio", "start_ns", "cold_ns",
    "peak_memory_bytes", "size_bytes", "governor", "temperature_c", "throttled", "elsewhere",
)  # fmt: skip


def document(record: BenchRecord) -> dict[str, Any]:
    """In JSON's own types."""
    results = [plain(result) for result in record.benchmark.results]
    for result in results:
        del result["latency"]["rounds_ns"]
        if not result["latency"]["samples_ns"]:
            del result["latency"]["samples_ns"]
    measured = record.benchmark
    return {
        "schema": SCHEMA,
        "scenario": record.scenario.value,
        "device": measured.device,
        "results": results,
        "profiles": plain(record.profiles),
        "energies": plain(record.energies),
        "sustained": plain(record.sustained),
        "before": plain(measured.before),
        "after": plain(measured.after),
        "elsewhere": measured.elsewhere,
        "placements": plain(record.placements),
        "limits": [plain(limit) | {"passed": limit.passed} for limit in record.limits],
    }


def read_document(path: Path) -> dict[str, Any]:
    """A document that was written to a file. Raises UsageError for another kind of file."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} can't be read as JSON ({error}); expected what edgekit bench --json prints"
        ) from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise UsageError(f"{path} holds no {SCHEMA} document; expected what edgekit bench --json prints")
    return found


def csv_text(found: Mapping[str, Any]) -> str:
    """A row a result of the document, units in the names of the columns."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([row.get(column, "") for column in COLUMNS] for row in _rows(found))
    return stream.getvalue()


def _rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for result in found["results"]:
        latency, load = result["latency"], result["load"]
        row = {name: value for name, value in result.items() if name in COLUMNS}
        row |= {name: value for name, value in load.items() if name in COLUMNS}
        row |= {
            "delegates": " ".join(result["delegates"]),
            "device": found["device"] or "local",
            "p50_ns": latency["p50_ns"]["value"],
            "p50_low_ns": latency["p50_ns"]["low"],
            "p50_high_ns": latency["p50_ns"]["high"],
            "p90_ns": latency["p90_ns"]["value"],
            "p99_ns": (latency["p99_ns"] or {}).get("value"),
            "runs": latency["runs"],
            "processes": latency["processes"],
            "steady": latency["steady"],
            "samples_per_second": result["throughput"]["value"],
            "ratio": result["ratio"]["value"],
            "governor": found["after"]["governor"],
            "temperature_c": found["after"]["temperature_c"],
            "throttled": found["after"]["throttled"],
            "elsewhere": found["elsewhere"],
        }
        yield {name: "" if value is None else value for name, value in row.items()}
