"""What a device is: its board, its Python and its runtimes, as it tells itself."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from edgekit import isolation, registry
from edgekit.conditions import Conditions, read_conditions
from edgekit.devices.device import Device
from edgekit.devices.runner import OLDEST_PYTHON
from edgekit.errors import DeviceError
from edgekit.protocols import Availability, Progress


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python there. ``glibc``: its version, "" for another C library. ``numpy``: its version, "" where there is none."""

    path: str
    version: tuple[int, int, int]
    machine: str
    glibc: str
    numpy: str

    @property
    def release(self) -> str:
        """ "3.11.2"."""
        return ".".join(map(str, self.version))

    @property
    def too_old(self) -> bool:
        return self.version < OLDEST_PYTHON


@dataclass(frozen=True, slots=True)
class RuntimeFound:
    """A runtime and whether it can be used there."""

    name: str
    formats: tuple[str, ...]
    availability: Availability


@dataclass(frozen=True, slots=True)
class Survey:
    """``conditions`` holds the board's name and state. ``arm_features``: those of its processor that decide which kernels run."""

    conditions: Conditions
    system: str
    arm_features: tuple[str, ...]
    runtimes: tuple[RuntimeFound, ...]


def find_interpreter(device: Device, python: str | None = None) -> Interpreter:
    """The Python that runs models there, or the one named. Needs no numpy there. Raises DeviceError where there is none."""
    path = python or device.python
    finished = device.transport.run([path, "-c", _INTERPRETER])
    if finished.code != 0:
        said = " ".join(finished.errors.split()) or f"exit code {finished.code}"
        raise DeviceError(f"{device.name} has no usable {path!r}: {said}. Install Python there, or name one (--python)")
    found = json.loads(finished.output)
    return Interpreter(path, tuple(found["version"]), found["machine"], found["glibc"], found["numpy"])


def require_python(device: Device, interpreter: Interpreter) -> None:
    """Raises DeviceError where it is too old for edgekit."""
    if interpreter.too_old:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise DeviceError(
            f"{device.name}: {interpreter.path} is Python {interpreter.release}; edgekit needs {oldest} or newer there. "
            "Install a newer one beside it and name it: edgekit devices add NAME URL --python PATH"
        )


def survey(device: Device) -> Survey:
    """Ask the device; it needs numpy. Raises DeviceError."""
    found: Survey = isolation.run(
        "edgekit.devices.survey:survey_here", None, stage=f"probing {device.name}", host=device
    ).value
    return found


def survey_here(request: None, progress: Progress, root: Path = Path("/")) -> Survey:
    """What a device is asked; ``root`` holds ``proc``, ``sys`` and ``etc``."""
    runtimes = registry.runtimes()
    return Survey(
        conditions=read_conditions(root),
        system=_system(root),
        arm_features=arm_features(_text(root / "proc/cpuinfo")),
        runtimes=tuple(RuntimeFound(each.name, tuple(each.formats), each.probe()) for each in runtimes),
    )


def arm_features(cpuinfo: str) -> tuple[str, ...]:
    """The features among ``ARM_FEATURES`` that /proc/cpuinfo lists, in that order."""
    found = re.search(r"^Features\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    listed = set(found[1].split()) if found else set()
    return tuple(feature for feature in ARM_FEATURES if feature in listed)


ARM_FEATURES = ("neon", "vfpv4", "asimd", "fphp", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme")
"""Linux's names (Documentation/arch/arm64/elf_hwcaps.rst): vectors, half precision (hp), int8 dot product (dp) and matrices."""


def _system(root: Path) -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', _text(root / "etc/os-release"), re.MULTILINE)
    kernel = f"{platform.system()} {os.uname().release}"
    return f"{found[1]}, {kernel}" if found else kernel


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


# Runs on any Python, so that one that is too old can say so.
_INTERPRETER = """
import json, platform, sys
try:
    import numpy
    found = numpy.__version__
except Exception:
    found = ""
name, version = platform.libc_ver()
print(json.dumps({"version": list(sys.version_info[:3]), "machine": platform.machine(),
                  "glibc": version if name == "glibc" else "", "numpy": found}))
"""
