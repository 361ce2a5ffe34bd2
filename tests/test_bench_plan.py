"""All that one bench measures, as one record, one document and one page."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import pytest
from in_process import InProcess
from made_clock import scripted_sampling

from edgekit import workload
from edgekit.bench_document import COLUMNS, csv_text, document
from edgekit.bench_html import html
from edgekit.bench_plan import BenchPlan, BenchRecord, Scenario, carry_out
from edgekit.errors import UsageError
from edgekit.latency import Timing
from edgekit.protocols import Silent
from edgekit_converters.hub.build import GraphBuilder

QUICK = Timing(min_seconds=0.05, warm_up_seconds=0.02, block_ns=1_000_000)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = GraphBuilder()
    graph.output(graph.op("Exp", graph.input("x", "float32", ("batch", 3000))), "y")
    path = tmp_path_factory.mktemp("plan") / "exp<1>.onnx"
    path.write_bytes(graph.build("test").to_bytes())
    return path


@pytest.fixture(scope="module")
def place() -> InProcess:
    return InProcess()


@pytest.fixture(scope="module")
def record(model: Path, place: InProcess) -> BenchRecord:
    plan = BenchPlan(
        (model,),
        scenario=Scenario.OFFLINE,
        threads=(1, 2),
        batches=(1, 4),
        streams=(1, 2),
        timing=QUICK,
        processes=2,
        starts=2,
        profile=True,
        energy=True,
        sustained_seconds=0.02,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workload, "BURST_NS", 500_000)  # shorter bursts are less exact, and quicker
        return carry_out(plan, place, Silent())


def test_every_combination_is_timed(record: BenchRecord) -> None:
    found = [(one.threads, one.samples, one.streams) for one in record.benchmark.results]
    assert found == [(t, b * s, s) for t in (1, 2) for b in (1, 4) for s in (1, 2)]
    first = record.benchmark.results[0]
    assert first.latency.processes == len(first.latency.repeats_ns) == 2
    assert first.throughput.value == pytest.approx(1e9 / first.latency.p50_ns.value)


def test_figures_of_a_batch_are_those_of_a_sample_of_it(model: Path) -> None:
    """A call of four samples takes three times as long here as a call of one."""
    place = InProcess(
        {"edgekit.benchmark:sample_here": scripted_sampling(lambda one: 3_000 if one.workload.batch == 4 else 1_000)}
    )
    plan = BenchPlan((model,), batches=(1, 4), timing=QUICK, processes=1)
    one, four = carry_out(plan, place, Silent()).benchmark.results
    assert (one.samples, one.ratio.value, one.throughput.value) == (1, 1.0, pytest.approx(1e6))
    assert (four.samples, four.ratio.value, four.throughput.value) == (4, 0.75, pytest.approx(4e9 / 3_000))


def test_combinations_that_open_alike_are_opened_once(record: BenchRecord, place: InProcess) -> None:
    loads = [one.load for one in record.benchmark.results]
    assert len({load.starts_ns for load in loads}) == 2, "one a number of threads"
    calls = Counter(name.partition(":")[2] for name in place.calls)
    assert (calls["start_here"], calls["load_here"]) == (2 * (2 + 2), 2), (
        "each start in a process of its own, warm and cold"
    )
    assert calls["sample_here"] == 2, "every process times all files"


def test_what_is_told_of_a_file_is_told_of_every_file_whatever_its_batches(record: BenchRecord) -> None:
    found = (record.profiles, record.energies, record.sustained)
    assert [[one.threads for one in each] for each in found] == [[1, 2]] * 3


def test_the_profile_names_the_op_and_the_energy_its_absence(record: BenchRecord) -> None:
    assert [op.op.op for op in record.profiles[0].ops] == ["Exp"]
    found = record.energies[0]
    assert found.energy is not None or "neither" in found.reason
    assert record.sustained[0].points[0].runs > 0


def test_csv_has_a_row_a_result_and_units_in_its_columns(record: BenchRecord) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(document(record)))))
    assert [row["streams"] for row in rows] == ["1", "2"] * 4
    assert set(rows[0]) == set(COLUMNS)
    assert float(rows[0]["p50_low_ns"]) <= float(rows[0]["p50_ns"]) <= float(rows[0]["p90_ns"])


def test_the_page_has_the_plots_and_escapes_names(record: BenchRecord) -> None:
    page = html(document(record))
    for heading in (
        "<h2>Latency<",
        "<h2>Throughput<",
        "<h2>Threads<",
        "<h2>Spread of ",
        "<h2>Ops of ",
        ", sustained</h2>",
    ):
        assert heading in page
    assert "exp&lt;1&gt;.onnx" in page
    assert "exp<1>" not in page


def test_a_file_that_two_runtimes_ran_is_two_lines_named_by_them(record: BenchRecord) -> None:
    found = document(record)
    found["results"] += [{**one, "runtime": "another"} for one in found["results"]]
    page = html(found)
    assert "exp&lt;1&gt;.onnx another batch 4</text>" in page
    assert "exp&lt;1&gt;.onnx onnxruntime batch 4</text>" in page
    [sweep] = [part for part in page.split("<h2>") if part.startswith("Threads<")]
    assert sweep.count("<polyline") == 4, "two runtimes, two batches"


def test_a_runtime_opens_the_files_of_its_formats_alone(model: Path) -> None:
    plan = BenchPlan((model,), runtimes=("litert",), timing=QUICK, processes=1)
    with pytest.raises(UsageError, match="none of litert opens"):
        carry_out(plan, InProcess(), Silent())
