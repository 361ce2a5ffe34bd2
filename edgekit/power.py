"""What a board tells of its power: energy counters and rails, read through a file-system root.

- RAPL: ``sys/class/powercap/intel-rapl:N/energy_uj``, microjoules of a package, which wrap at ``max_energy_range_uj``
  (Documentation/power/powercap/powercap.rst of Linux; AMD's driver has the same names).
- INA3221 on Jetson boards: ``hwmon`` folders called ``ina3221`` with ``inN_label``, ``inN_input`` in mV and ``currN_input`` in mA
  (Documentation/hwmon/ina3221.rst). The rail of the whole module, ``VDD_IN`` or ``POM_5V_IN``, counts alone where there is one.
- The power chip of a Raspberry Pi 5: ``vcgencmd pmic_read_adc`` lists ``RAIL_A current(n)=xA`` and ``RAIL_V volt(n)=xV``. It sees
  the rails that it makes, not what leaves the board by USB or from the 5 V pins.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final

from edgekit.latency import Clock


class Meter(Protocol):
    """A source of power readings. Exists so that counters and rails are used alike."""

    @property
    def name(self) -> str:
        """What is measured, for people."""

    def joules(self) -> float:
        """Energy since some moment."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Energy:
    """Of ``runs`` calls in a row. ``idle_watts``: before them, with nothing to do; ``net_joules`` a call leaves that out."""

    meter: str
    runs: int
    watts: float
    idle_watts: float
    joules: float
    net_joules: float


def find_meter(root: Path = Path("/"), clock: Clock = time.perf_counter_ns) -> Meter | None:
    """The first source that answers; None on boards that tell nothing."""
    if packages := _rapl(root):
        return _Counter("RAPL package energy", packages)
    for name, watts in (("INA3221", _ina3221(root)), ("Raspberry Pi's power chip", _pmic(root))):
        if watts is not None:
            return _Integrator(name, watts, clock)
    return None


def measure_energy(
    call: Callable[[], object],
    meter: Meter,
    runs_a_call: int = 1,
    *,
    seconds: float = 2.0,
    rest: Callable[[float], object] = time.sleep,
    clock: Clock = time.perf_counter_ns,
) -> Energy:
    """Run the call for so long, after as long a ``rest``."""
    calls = 0

    def work() -> None:
        nonlocal calls
        ends = clock() + seconds * 1e9
        while not calls or clock() < ends:
            call()
            calls += 1

    idle, _ = _watts(meter, lambda: rest(seconds), clock)
    watts, taken = _watts(meter, work, clock)
    runs = calls * runs_a_call
    return Energy(meter.name, runs, watts, idle, watts * taken / runs, max(0.0, watts - idle) * taken / runs)


def _watts(meter: Meter, work: Callable[[], object], clock: Clock) -> tuple[float, float]:
    """The mean power, and the seconds that the work took."""
    joules, began = meter.joules(), clock()
    work()
    used, taken = meter.joules() - joules, (clock() - began) / 1e9
    return used / taken, taken


@dataclass(frozen=True, slots=True)
class _Package:
    counter: Path
    range_joules: float


@final
class _Counter:
    """Energy counters of one or more packages."""

    def __init__(self, name: str, packages: list[_Package]) -> None:
        self.name, self._packages = name, packages
        self._last = [_joules(package.counter) for package in packages]
        self._total = 0.0

    def joules(self) -> float:
        """Counters wrap every few minutes: to be asked more often than that."""
        for position, package in enumerate(self._packages):
            now = _joules(package.counter)
            step = now - self._last[position]
            self._total += step if step >= 0 else step + package.range_joules
            self._last[position] = now
        return self._total

    def close(self) -> None: ...


@final
class _Integrator:
    """Power, read by a thread ten times a second and added up."""

    def __init__(self, name: str, watts: Callable[[], float], clock: Clock) -> None:
        self.name, self._watts, self._clock = name, watts, clock
        self._total, self._at = 0.0, clock()
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def joules(self) -> float:
        self._add()
        return self._total

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._ended.wait(0.1):
            self._add()

    def _add(self) -> None:
        with self._lock:
            watts = self._watts()
            now = self._clock()  # after the reading, which takes a while: callers count from its answer on
            self._total += watts * (now - self._at) / 1e9
            self._at = now


def _rapl(root: Path) -> list[_Package]:
    """Packages alone (intel-rapl:0): their parts (intel-rapl:0:1) are in their figure."""
    found = []
    for zone in sorted((root / "sys/class/powercap").glob("*rapl:*")):
        if zone.name.count(":") == 1:
            try:
                _joules(zone / "energy_uj")
                found.append(_Package(zone / "energy_uj", _joules(zone / "max_energy_range_uj")))
            except (OSError, ValueError):  # only root may read it, since 2020
                continue
    return found


def _joules(path: Path) -> float:
    """Of a file that holds microjoules."""
    return int(path.read_text("ascii")) / 1e6


def _ina3221(root: Path) -> Callable[[], float] | None:
    rails: dict[str, tuple[Path, Path]] = {}
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        if not (folder / "name").is_file() or (folder / "name").read_text("ascii").strip() != "ina3221":
            continue
        for label in sorted(folder.glob("in*_label")):
            number = label.name.removeprefix("in").removesuffix("_label")
            volts, amperes = folder / f"in{number}_input", folder / f"curr{number}_input"
            if volts.is_file() and amperes.is_file():
                rails[label.read_text("ascii").strip()] = volts, amperes
    whole = [rails[name] for name in ("VDD_IN", "POM_5V_IN") if name in rails]
    counted = whole[:1] or list(rails.values())
    if not counted:
        return None
    return lambda: sum(int(volts.read_text()) * int(amperes.read_text()) / 1e6 for volts, amperes in counted)


def _pmic(root: Path) -> Callable[[], float] | None:
    command = root / "usr/bin/vcgencmd"
    if not command.is_file():
        return None

    def watts() -> float:
        found = subprocess.run([str(command), "pmic_read_adc"], capture_output=True, text=True, timeout=5, check=False)
        return pmic_watts(found.stdout)

    try:
        return watts if watts() > 0 else None
    except (OSError, subprocess.TimeoutExpired):
        return None


def pmic_watts(text: str) -> float:
    """The sum over the rails that have both a current and a voltage in ``vcgencmd pmic_read_adc``."""
    amperes = {name: float(value) for name, value in re.findall(r"(\w+)_A current\(\d+\)=([\d.]+)A", text)}
    volts = {name: float(value) for name, value in re.findall(r"(\w+)_V volt\(\d+\)=([\d.]+)V", text)}
    return sum(current * volts[name] for name, current in amperes.items() if name in volts)
