"""What a device tells of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.devices import Address, Device
from edgekit.devices.survey import Interpreter, arm_features, find_interpreter, require_python, survey, survey_here
from edgekit.errors import DeviceError
from edgekit.protocols import Silent

PI_5 = (
    "processor\t: 0\nFeatures\t: fp asimd evtstrm aes crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp\n"
)


def test_a_device_tells_its_board_and_runtimes(device: Device):
    found = survey(device)
    runtimes = {runtime.name: runtime.availability for runtime in found.runtimes}
    assert runtimes["onnxruntime"].available
    assert found.conditions.cores >= 1
    assert found.system


def test_a_python_without_numpy_still_tells_its_version(cache: Path, bare_python: str):
    with Device.open(Address("local", bare_python)) as device:
        found = find_interpreter(device)
    assert found.numpy == ""
    assert found.version >= (3, 10)


def test_the_version_of_numpy_is_told(device: Device):
    assert find_interpreter(device).numpy == np.__version__


def test_a_python_that_is_too_old_is_told_with_what_to_do(device: Device):
    with pytest.raises(DeviceError, match=r"Python 3\.9\.2; edgekit needs 3\.10 or newer"):
        require_python(device, Interpreter("python3", (3, 9, 2), "aarch64", "2.31", ""))


def test_a_command_that_is_no_python(cache: Path):
    with Device.open(Address("local", "false")) as device, pytest.raises(DeviceError, match="no usable 'false'"):
        find_interpreter(device)


def test_arm_features_are_those_that_decide_kernels():
    assert arm_features(PI_5) == ("asimd", "fphp", "asimdhp", "asimddp")
    assert arm_features("flags\t: sse2 avx2\n") == ()


def test_a_made_up_board_is_read_through_its_root(tmp_path: Path):
    for path, text in {
        "proc/cpuinfo": PI_5,
        "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "proc/meminfo": "MemTotal:        8245248 kB\nMemFree: 1 kB\nMemAvailable:    7000000 kB\n",
        "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = survey_here(None, Silent(), tmp_path)
    assert found.system.startswith("Debian GNU/Linux 12 (bookworm), Linux")
    assert found.conditions.processor == "Raspberry Pi 5 Model B Rev 1.0"
    assert found.conditions.throttled == "under-voltage, throttled"
    assert (found.conditions.memory_bytes, found.conditions.free_memory_bytes) == (8245248 * 1024, 7000000 * 1024)
    assert "asimddp" in found.arm_features
