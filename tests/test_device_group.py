"""One bench on several boards at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgekit import device_group
from edgekit.bench_plan import BenchPlan, BenchRecord
from edgekit.device_group import run_group
from edgekit.devices import Address
from edgekit.errors import DeviceError
from edgekit.place import Here, Place
from edgekit.protocols import Progress


def test_boards_work_at_the_same_time_and_a_lost_one_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=10)

    @contextmanager
    def reach(address: Address) -> Iterator[Place]:
        if address.name == "lost":
            raise DeviceError("it is off")
        here = Here()
        here.name = address.name  # type: ignore[misc]
        yield here

    def work(plan: BenchPlan, place: Place, progress: Progress, *, keep_samples: bool) -> BenchRecord:
        progress.stage("timing", 2)
        together.wait()
        progress.step()
        return BenchRecord(plan.scenario, place.name)  # type: ignore[arg-type]

    monkeypatch.setattr(device_group, "reached", reach)
    monkeypatch.setattr(device_group, "carry_out", work)
    told: list[tuple[str, str]] = []
    addresses = [Address("local", name=name) for name in ("kitchen", "lost", "attic")]
    found = run_group(BenchPlan((Path("a.onnx"),)), addresses, lambda board, doing: told.append((board, doing)))
    assert [(one.device, one.record is None, one.error) for one in found] == [
        ("kitchen", False, ""),
        ("lost", True, "it is off"),
        ("attic", False, ""),
    ]
    kitchen = [doing for board, doing in told if board == "kitchen"]
    assert kitchen == ["connecting", "timing 0/2", "timing 1/2", "done"]
    assert ("lost", "failed") in told


def test_an_error_of_any_kind_ends_its_board_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> BenchRecord:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(device_group, "carry_out", fail)
    [found] = run_group(BenchPlan(()), [Address("local")], lambda *_: None)
    assert found.error
