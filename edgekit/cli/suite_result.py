"""What ``edgekit bench --suite`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli.bench_result import BenchResult
from edgekit.json_text import json_text, plain
from edgekit.table import Table, table

if TYPE_CHECKING:
    from edgekit.suite import SuiteEntry, SuiteRecord

SCHEMA = "edgekit.suite/1"


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """A `SuiteRecord` for output."""

    record: SuiteRecord

    def to_json(self) -> str:
        from edgekit.bench_document import document

        found = {"schema": SCHEMA, "suite": self.record.suite, "missing": self.record.missing}
        return json_text({**found, "entries": plain(self.record.entries), "bench": document(self.record.bench)})

    def sections(self) -> Sequence[Table | str]:
        columns = "task,file,>p50 ms,>p90 ms by MLPerf's rule,quality,target,met,>dB to float"
        missing = [f"no file for {title}" for title in self.record.missing]
        notes = [f"{Path(entry.file).name}: {entry.note}" for entry in self.record.entries if entry.note]
        rest = BenchResult(self.record.bench).sections()
        return [table(columns, [self._row(entry) for entry in self.record.entries]), "", *missing, *notes, "", *rest]

    def _row(self, entry: SuiteEntry) -> tuple[str, ...]:
        latency = self.record.bench.benchmark.results[entry.result].latency
        rule, quality = latency.early_stopping[0], entry.quality
        p90 = f"{rule.latency_ns / 1e6:.4g}" if rule.latency_ns is not None else f"needs {rule.needed} runs"
        times = (entry.task, Path(entry.file).name, f"{latency.p50_ns.value / 1e6:.4g}", p90)
        if quality is None:
            return (*times, "", "", "", "")
        value = "no labels" if quality.value is None else f"{quality.metric} {quality.value:.4f}"
        met = "" if quality.met is None else "yes" if quality.met else "no"
        return (*times, value, f"{quality.target:g}", met, "" if quality.sqnr_db is None else f"{quality.sqnr_db:.1f}")
