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
        with named(address) as here:
            yield here

    def work(plan: BenchPlan, place: Place, progress: Progress) -> BenchRecord:
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


@contextmanager
def named(address: Address) -> Iterator[Place]:
    here = Here()
    here.name = address.name  # type: ignore[misc]
    yield here


def one_fails(monkeypatch: pytest.MonkeyPatch, error: Exception, over: threading.Event) -> None:
    """The board "odd" fails at once; any other is at work until it is ``over``."""

    def work(plan: BenchPlan, place: Place, progress: Progress) -> BenchRecord:
        if place.name == "odd":
            raise error
        over.wait(60)
        return BenchRecord(plan.scenario, place.name)  # type: ignore[arg-type]

    monkeypatch.setattr(device_group, "reached", named)
    monkeypatch.setattr(device_group, "carry_out", work)


def test_a_fault_of_ours_is_raised_as_it_is_while_others_are_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    one_fails(monkeypatch, ZeroDivisionError("a bug"), over)
    addresses = [Address("local", name=name) for name in ("kitchen", "odd")]
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run_group(BenchPlan(()), addresses, lambda *_: None)
    over.set()


def test_an_error_of_the_system_ends_its_board_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    one_fails(monkeypatch, ConnectionResetError("it went away"), threading.Event())
    [found] = run_group(BenchPlan(()), [Address("local", name="odd")], lambda *_: None)
    assert (found.record, found.error) == (None, "it went away")
