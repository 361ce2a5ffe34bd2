"""Power as boards tell it, on made file systems."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edgekit.power import find_meter, measure_energy, pmic_watts

PMIC = """\
     3V7_WL_SW_A current(0)=0.10000000A
       VDD_CORE_A current(7)=2.00000000A
     3V7_WL_SW_V volt(8)=3.70000000V
       VDD_CORE_V volt(15)=0.85000000V
         EXT5V_V volt(24)=5.10000000V
"""


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_a_machine_that_tells_nothing_has_no_meter(tmp_path: Path) -> None:
    assert find_meter(tmp_path) is None


def test_rapl_counters_wrap_and_are_added_over_packages(tmp_path: Path) -> None:
    zones = tmp_path / "sys/class/powercap"
    for number in (0, 1):
        write(
            zones / f"intel-rapl:{number}",
            {"energy_uj": "9000000\n", "max_energy_range_uj": "10000000\n", "name": f"package-{number}\n"},
        )
    write(zones / "intel-rapl:0:0", {"energy_uj": "1\n", "max_energy_range_uj": "10\n", "name": "core\n"})
    meter = find_meter(tmp_path)
    assert meter is not None
    assert (meter.name, meter.joules()) == ("RAPL package energy", 0.0)
    write(zones / "intel-rapl:0", {"energy_uj": "9500000\n"})
    write(zones / "intel-rapl:1", {"energy_uj": "1000000\n"})
    assert meter.joules() == pytest.approx(0.5 + 2.0)


def test_a_jetsons_whole_rail_counts_alone(tmp_path: Path) -> None:
    rails = {"1": ("VDD_IN", 5000, 1000), "2": ("VDD_CPU_GPU_CV", 5000, 400), "3": ("VDD_SOC", 5000, 200)}
    folder = tmp_path / "sys/class/hwmon/hwmon3"
    write(folder, {"name": "ina3221\n"})
    write(tmp_path / "sys/class/hwmon/hwmon1", {"name": "pwmfan\n"})
    for number, (label, millivolts, milliamperes) in rails.items():
        write(
            folder,
            {
                f"in{number}_label": f"{label}\n",
                f"in{number}_input": f"{millivolts}\n",
                f"curr{number}_input": f"{milliamperes}\n",
            },
        )
    assert watts_of(tmp_path) == pytest.approx(5.0, rel=0.05)
    (folder / "in1_label").write_text("VDD_OTHER\n")
    assert watts_of(tmp_path) == pytest.approx(5.0 + 2.0 + 1.0, rel=0.05)


def test_a_pi_5s_power_chip_adds_the_rails_with_both_figures(tmp_path: Path) -> None:
    assert pmic_watts(PMIC) == pytest.approx(0.1 * 3.7 + 2.0 * 0.85)
    write(tmp_path, {"usr/bin/vcgencmd": f"#!/bin/sh\n[ \"$1\" = pmic_read_adc ] && cat <<'E'\n{PMIC}E\n"})
    (tmp_path / "usr/bin/vcgencmd").chmod(0o755)
    assert watts_of(tmp_path) == pytest.approx(2.07, rel=0.05)


def test_an_older_pi_whose_command_knows_no_rails_has_no_meter(tmp_path: Path) -> None:
    write(tmp_path, {"usr/bin/vcgencmd": "#!/bin/sh\necho 'error=1 error_msg=\"Command not registered\"'\n"})
    (tmp_path / "usr/bin/vcgencmd").chmod(0o755)
    assert find_meter(tmp_path) is None


def test_energy_of_a_run_leaves_the_rest_out() -> None:
    class Busy:
        """Ten watts at rest, thirty while the call runs."""

        name = "made"

        def __init__(self) -> None:
            self.total, self.at, self.watts = 0.0, time.perf_counter(), 10.0

        def joules(self) -> float:
            now = time.perf_counter()
            self.total += self.watts * (now - self.at)
            self.at = now
            return self.total

        def close(self) -> None: ...

    meter = Busy()

    def call() -> None:
        if meter.watts < 30:
            meter.joules()
            meter.watts = 30.0
        time.sleep(0.002)

    found = measure_energy(call, meter, seconds=0.1)
    assert found.idle_watts == pytest.approx(10, rel=0.1)
    assert found.watts == pytest.approx(30, rel=0.1)
    assert found.net_joules == pytest.approx(20 * 0.1 / found.runs, rel=0.2)


def watts_of(root: Path) -> float:
    meter = find_meter(root)
    assert meter is not None
    try:
        joules, began = meter.joules(), time.perf_counter()
        time.sleep(0.15)
        return (meter.joules() - joules) / (time.perf_counter() - began)
    finally:
        meter.close()
