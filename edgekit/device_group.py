"""The same bench on many boards at once: one job a board, and the loss of one costs no other's figures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from edgekit.bench_plan import BenchPlan, BenchRecord, carry_out
from edgekit.errors import EdgekitError
from edgekit.place import reached

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


def run_group(plan: BenchPlan, addresses: Sequence[Address], follow: Follow) -> tuple[BoardAnswer, ...]:
    """Every board's answer, in the order of ``addresses``.

    Ctrl-C ends the command at once: the boards' own processes end when their connections do. Any error that is neither
    edgekit's own nor the system's is a fault of edgekit, and raised as it is.
    """
    answers = [_started(plan, address, follow) for address in addresses]
    # In short pieces, so that Ctrl-C is heard.
    while (state := wait(answers, timeout=0.2, return_when=FIRST_EXCEPTION)).not_done:
        for answer in state.done:
            answer.result()
    return tuple(answer.result() for answer in answers)


def _started(plan: BenchPlan, address: Address, follow: Follow) -> Future[BoardAnswer]:
    """The board's answer to come, from a thread that does not keep the command from ending: those of an executor do."""
    found: Future[BoardAnswer] = Future()

    def job() -> None:
        try:
            found.set_result(_answer(plan, address, follow))
        except BaseException as error:  # noqa: BLE001  # raised where the answer is asked for
            found.set_exception(error)

    threading.Thread(target=job, daemon=True).start()
    return found


def _answer(plan: BenchPlan, address: Address, follow: Follow) -> BoardAnswer:
    follow(address.name, "connecting")
    try:
        with reached(address) as place:
            record = carry_out(plan, place, _Reported(place.name, follow))
    except (EdgekitError, OSError) as error:
        follow(address.name, "failed")
        return BoardAnswer(address.name, None, str(error))
    follow(address.name, "done")
    return BoardAnswer(address.name, record)


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
