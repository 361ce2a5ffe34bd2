"""Reading a machine's state from a made-up /proc and /sys."""

from __future__ import annotations

from pathlib import Path

from edgekit.conditions import read_conditions


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_a_board_is_read_from_its_device_tree(tmp_path: Path) -> None:
    put(tmp_path, "proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    put(tmp_path, "proc/loadavg", "0.52 0.40 0.31 1/211 1234\n")
    put(tmp_path, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand\n")
    put(tmp_path, "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1500000\n")
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "48686\n")
    put(tmp_path, "sys/class/thermal/thermal_zone1/temp", "51200\n")
    found = read_conditions(tmp_path)
    assert found.processor == "Raspberry Pi 4 Model B Rev 1.4"
    assert (found.governor, found.frequency_mhz, found.temperature_c, found.load) == ("ondemand", 1500, 51.2, 0.52)


def test_a_processor_is_read_from_cpuinfo(tmp_path: Path) -> None:
    put(tmp_path, "proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\n")
    assert read_conditions(tmp_path).processor == "Some CPU @ 2.00GHz"


def test_a_board_without_a_device_tree_is_named_by_cpuinfo(tmp_path: Path) -> None:
    put(tmp_path, "proc/cpuinfo", "processor\t: 0\n\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n")
    assert read_conditions(tmp_path).processor == "Raspberry Pi 4 Model B Rev 1.4"


def test_a_firmware_that_slows_the_clock_down_says_why(tmp_path: Path) -> None:
    path = "sys/devices/platform/soc/soc:firmware/get_throttled"
    for text, words in (
        ("0\n", ""),
        ("50000\n", ""),
        ("4\n", "throttled"),
        ("b\n", "under-voltage, clock capped, soft temperature limit"),
    ):
        put(tmp_path, path, text)
        assert read_conditions(tmp_path).throttled == words
    put(tmp_path, path, "no number")
    assert read_conditions(tmp_path).throttled is None


def test_what_the_system_does_not_tell_is_none(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "not a number")
    found = read_conditions(tmp_path)
    assert (found.governor, found.frequency_mhz, found.temperature_c, found.load) == (None, None, None, None)
    assert found.cores >= 1
