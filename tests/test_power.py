"""Power as boards tell it, on made file systems."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_clock import Watch

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
    assert watts_of(tmp_path) == pytest.approx(5.0)
    (folder / "in1_label").write_text("VDD_OTHER\n")
    assert watts_of(tmp_path) == pytest.approx(5.0 + 2.0 + 1.0)


def test_a_pi_5s_power_chip_adds_the_rails_with_both_figures(tmp_path: Path) -> None:
    assert pmic_watts(PMIC) == pytest.approx(0.1 * 3.7 + 2.0 * 0.85)
    write(tmp_path, {"usr/bin/vcgencmd": f"#!/bin/sh\n[ \"$1\" = pmic_read_adc ] && cat <<'E'\n{PMIC}E\n"})
    (tmp_path / "usr/bin/vcgencmd").chmod(0o755)
    assert watts_of(tmp_path) == pytest.approx(2.07)


def test_an_older_pi_whose_command_knows_no_rails_has_no_meter(tmp_path: Path) -> None:
    write(tmp_path, {"usr/bin/vcgencmd": "#!/bin/sh\necho 'error=1 error_msg=\"Command not registered\"'\n"})
    (tmp_path / "usr/bin/vcgencmd").chmod(0o755)
    assert find_meter(tmp_path) is None


def test_energy_of_a_run_leaves_the_rest_out() -> None:
    watch = Watch()

    class Busy:
        """Ten watts at rest, thirty while the call runs."""

        name, total = "made", 0.0

        def joules(self) -> float:
            return self.total

        def close(self) -> None: ...

    meter = Busy()

    def take(seconds: float, watts: float) -> None:
        watch.sleep(seconds)
        meter.total += watts * seconds

    found = measure_energy(
        lambda: take(0.002, 30), meter, 4, seconds=0.1, rest=lambda seconds: take(seconds, 10), clock=watch
    )
    assert (found.idle_watts, found.watts, found.runs) == (pytest.approx(10), pytest.approx(30), 4 * 50)
    assert found.joules == pytest.approx(30 * 0.002 / 4)
    assert found.net_joules == pytest.approx(20 * 0.002 / 4)


def watts_of(root: Path) -> float:
    watch = Watch()
    meter = find_meter(root, watch)
    assert meter is not None
    try:
        before = meter.joules()
        watch.sleep(1)
        return meter.joules() - before
    finally:
        meter.close()
