"""The same bench on many boards at once: one job a board, and the loss of one costs no other's figures."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from edgekit.bench_plan import BenchPlan, BenchRecord, carry_out
from edgekit.errors import EdgekitError
from edgekit.place import Place, reached

if TYPE_CHECKING:
    from edgekit.devices.address import Address

Follow = Callable[[str, str], None]
"""Told the name of a board and what it is doing now."""


@dataclass(frozen=True, slots=True)
class BoardAnswer:
    """What one board found, or why it found nothing."""

    device: str
    record: BenchRecord | None
    error: str = ""


def run_group(
    plan: BenchPlan, addresses: Sequence[Address], follow: Follow, *, keep_samples: bool = False
) -> tuple[BoardAnswer, ...]:
    """Every board's answer, in the order of ``addresses``.

    Ctrl-C ends the command at once: the boards' own processes end when their connections do.
    """
    done: queue.Queue[tuple[int, BoardAnswer]] = queue.Queue()

    def job(position: int) -> None:
        address = addresses[position]
        done.put((position, _answer(plan, address, follow, keep_samples)))

    for position in range(len(addresses)):
        threading.Thread(target=job, args=(position,), daemon=True).start()
    answers = dict(_received(done, len(addresses)))
    return tuple(answers[position] for position in range(len(addresses)))


def _received(done: queue.Queue[tuple[int, BoardAnswer]], count: int) -> Iterator[tuple[int, BoardAnswer]]:
    """Waits in short pieces, so that Ctrl-C is heard."""
    while count:
        try:
            answer = done.get(timeout=0.2)
        except queue.Empty:
            continue
        count -= 1
        yield answer


def _answer(plan: BenchPlan, address: Address, follow: Follow, keep_samples: bool) -> BoardAnswer:
    follow(address.name, "connecting")
    try:
        with reached(address) as place:
            record = _measured(plan, place, follow, keep_samples)
    except EdgekitError as error:
        follow(address.name, "failed")
        return BoardAnswer(address.name, None, str(error))
    except Exception as error:  # noqa: BLE001  # a thread that dies in silence would be waited for without end
        follow(address.name, "failed")
        return BoardAnswer(address.name, None, f"{type(error).__name__}: {error}")
    follow(address.name, "done")
    return BoardAnswer(address.name, record)


def _measured(plan: BenchPlan, place: Place, follow: Follow, keep_samples: bool) -> BenchRecord:
    return carry_out(plan, place, _Reported(place.name, follow), keep_samples=keep_samples)


@final
class _Reported:
    """A `Progress` that says what a board is doing."""

    def __init__(self, device: str, follow: Follow) -> None:
        self._device, self._follow = device, follow
        self._name, self._total, self._done = "", 0, 0

    def stage(self, name: str, total: int | None = None) -> None:
        self._name, self._total, self._done = name, total or 0, 0
        self._tell()

    def step(self, count: int = 1) -> None:
        self._done += count
        self._tell()

    def _tell(self) -> None:
        share = f" {min(self._done, self._total)}/{self._total}" if self._total else ""
        self._follow(self._device, self._name + share)
