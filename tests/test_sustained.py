"""A run without a pause, beside what the board tells of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_clock import Watch

from edgekit.errors import MeasurementError
from edgekit.place import Here
from edgekit.protocols import Silent
from edgekit.sustained import Point, follow, slowdown_of, sustain
from edgekit.workload import Work


class TenWatts:
    """A meter of a board that always takes as much."""

    name = "made"

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def joules(self) -> float:
        return 10 * self._watch.now / 1e9

    def close(self) -> None: ...


def test_points_have_the_boards_state_beside_the_times(tmp_path: Path) -> None:
    cpufreq = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq"
    firmware = tmp_path / "sys/devices/platform/soc/soc:firmware"
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    for folder in (cpufreq, firmware, zone):
        folder.mkdir(parents=True)
    (cpufreq / "scaling_cur_freq").write_text("1500000\n")
    (firmware / "get_throttled").write_text("4\n")
    (zone / "temp").write_text("82000\n")
    watch = Watch()
    work = Work(lambda: watch.sleep(0.002), 2, 1, lambda: None)
    points = list(follow(work, 1.3, TenWatts(watch), tmp_path, watch))
    assert [point.seconds for point in points] == pytest.approx([1.0, 1.3])
    first = points[0]
    assert (first.temperature_c, first.frequency_mhz, first.throttled) == (82, 1500, "throttled")
    assert (first.p50_ns, first.p90_ns, first.runs) == (1e6, 1e6, 1000), "a call makes two runs"
    assert [point.watts for point in points] == pytest.approx([10, 10])
    assert all(point.watts is None for point in follow(work, 1.3, None, tmp_path, watch))


def test_slowdown_compares_the_ends() -> None:
    times = [100.0] * 10 + [110.0] * 80 + [150.0] * 10
    points = [Point(float(n), each, each, 1, None, None, None) for n, each in enumerate(times)]
    assert slowdown_of(points) == 1.5


def test_an_emulated_board_is_not_run_warm(tmp_path: Path) -> None:
    class Emulated(Here):  # type: ignore[misc]
        name, emulated = "emulated://board", True

    with pytest.raises(MeasurementError, match="say nothing about a board"):
        sustain(None, 1.0, Emulated(), Silent())  # type: ignore[arg-type]
