"""Install numpy and the runtimes on a device, into a virtual environment of edgekit's own; nothing there needs root.

The device's own pip is tried first: it knows the index that the board was set up for. A device with no network, or with no pip,
gets wheels that were fetched here for its processor, C library and Python, and pip's own wheel to install them with.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from edgekit.devices.device import MADE_FROM, VENV, Device
from edgekit.devices.survey import Interpreter, Survey, find_interpreter, require_python, survey
from edgekit.errors import DeviceError, UsageError
from edgekit.protocols import Progress

PACKAGES = {
    "onnxruntime": "onnxruntime>=1.20",
    "litert": "ai-edge-litert>=2.1",
    "tflite_runtime": "tflite-runtime>=2.14",
}
"""What brings a runtime, by the runtime's name."""

_INTO_THE_ENVIRONMENT = ("--quiet", "--no-user")
"""pip's options. The board's configuration may prefer the account's own folder, which other programs see."""

_MINUTES = 60.0


def setup(device: Device, runtimes: Sequence[str], progress: Progress, *, offline: bool) -> Survey:
    """Make the environment and see that the runtimes work there. A failure leaves no environment.

    ``runtimes``: none stands for those that fit the device. ``offline``: don't let the device's pip try. Raises DeviceError.
    """
    python = device.address.python or device.transport.python
    base = find_interpreter(device, python)
    require_python(device, base)
    packages = packages_for(base, runtimes)
    venv = device.folder / VENV
    progress.stage(f"making an environment on {device.name}")
    own = str(venv / "bin" / "python")
    try:
        make = [python, "-m", "venv", "--clear", "--system-site-packages", "--without-pip", str(venv)]
        device.run(make, "make a virtual environment", seconds=5 * _MINUTES)
        device.run(["sh", "-c", 'printf %s "$1" > "$2"', "sh", python, str(device.folder / MADE_FROM)], "write a file")
        if offline or not _installed_there(device, own, packages, progress):
            _install_wheels(device, own, base, packages, progress)
        with_venv = device.with_python(own)
        progress.stage(f"trying the runtimes on {device.name}")
        found = survey(with_venv)
        _require(found, packages, device)
        return found
    except BaseException:
        _remove(device, venv)
        raise


def packages_for(interpreter: Interpreter, runtimes: Sequence[str]) -> dict[str, str]:
    """Requirements by runtime. LiteRT 2 has wheels for 64 bits and Python 3.11 on; older boards take tflite-runtime.

    Raises UsageError for a runtime that edgekit can't install.
    """
    if unknown := [name for name in runtimes if name not in PACKAGES]:
        raise UsageError(f"edgekit can't install the runtime {unknown[0]!r}; it knows {', '.join(PACKAGES)}")
    wide = interpreter.machine in ("aarch64", "x86_64")
    modern = wide and interpreter.version >= (3, 11)
    fitting = ("onnxruntime", "litert") if modern else (*(("onnxruntime",) if wide else ()), "tflite_runtime")
    chosen = {name: PACKAGES[name] for name in (runtimes or fitting)}
    if "tflite_runtime" in chosen:  # built against numpy 1
        return {"numpy": "numpy>=1.23,<2", **chosen}
    return {"numpy": "numpy>=1.23", **chosen}


def platform_tags(interpreter: Interpreter) -> tuple[str, ...]:
    """Wheel platforms that run there, newest first (PEP 600: manylinux with the C library's version).

    Raises DeviceError for a device with another C library than glibc, for which the runtimes have no wheels.
    """
    if not interpreter.glibc:
        raise DeviceError(
            f"the device's C library is not glibc ({interpreter.machine}, Python {interpreter.release}): the runtimes have no "
            "wheels for it. Install them there by the means of its system"
        )
    major, minor = (int(part) for part in interpreter.glibc.split(".")[:2])
    machine = interpreter.machine
    numbered = tuple(f"manylinux_{major}_{each}_{machine}" for each in range(minor, 16, -1))
    return (*numbered, f"manylinux2014_{machine}", f"linux_{machine}")


def _installed_there(device: Device, python: str, packages: dict[str, str], progress: Progress) -> bool:
    """Whether the device's own pip could install them."""
    progress.stage(f"installing on {device.name}")
    options = [*_INTO_THE_ENVIRONMENT, "--disable-pip-version-check", "--only-binary=:all:"]
    options += ["--retries", "1", "--timeout", "15"]
    command = [python, "-m", "pip", "install", *options, *packages.values()]
    return device.transport.run(command, seconds=20 * _MINUTES).code == 0


def _install_wheels(
    device: Device, python: str, interpreter: Interpreter, packages: dict[str, str], progress: Progress
) -> None:
    remote = device.folder / "wheels"
    with tempfile.TemporaryDirectory(prefix="edgekit-") as here:
        progress.stage(f"fetching wheels for {interpreter.machine} and Python {interpreter.release}")
        wheels = _fetch(interpreter, packages, Path(here))
        progress.stage(f"sending wheels to {device.name}", len(wheels))
        try:
            device.run(["mkdir", "-p", str(remote)], "make a folder")
            for wheel in wheels:
                device.transport.put(wheel, str(remote / wheel.name))
                progress.step()
            pip = next(wheel.name for wheel in wheels if wheel.name.startswith("pip-"))
            options = [*_INTO_THE_ENVIRONMENT, "--no-index", "--no-cache-dir", "--find-links", str(remote)]
            command = [python, str(remote / pip / "pip"), "install", *options, *packages.values()]
            device.run(command, "install the wheels", seconds=20 * _MINUTES)
        finally:
            _remove(device, remote)


def _remove(device: Device, folder: PurePosixPath) -> None:
    """Where the device is gone, that is the error to show, and not this one."""
    with contextlib.suppress(DeviceError):
        device.transport.run(["rm", "-rf", str(folder)])


def _fetch(interpreter: Interpreter, packages: dict[str, str], folder: Path) -> list[Path]:
    """The wheels of the packages, and pip's own.

    For 32-bit Arm there is no wheel of numpy: the system's serves, and tflite-runtime needs nothing else.
    """
    if interpreter.numpy and set(packages) == {"numpy", "tflite_runtime"}:
        return fetch_wheels(interpreter, [packages["tflite_runtime"], "pip"], folder, options=("--no-deps",))
    return fetch_wheels(interpreter, [*packages.values(), "pip"], folder)


def fetch_wheels(
    interpreter: Interpreter, requirements: Sequence[str], folder: Path, options: Sequence[str] = ()
) -> list[Path]:
    """Wheels of the requirements and of what they need, for that interpreter; ``options`` are pip's.

    Raises DeviceError with pip's words.
    """
    python = f"{interpreter.version[0]}.{interpreter.version[1]}"
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--dest", str(folder)]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    command += [part for tag in platform_tags(interpreter) for part in ("--platform", tag)]
    done = subprocess.run([*command, *options, *requirements], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " ".join(line for line in done.stderr.splitlines() if "ERROR" in line) or done.stderr.strip()[-300:]
        raise DeviceError(
            f"there are no wheels for {interpreter.machine} with glibc {interpreter.glibc} and Python {interpreter.release}, "
            f"or no package index is reached: {said}"
        )
    return sorted(folder.iterdir())


def _require(found: Survey, packages: dict[str, str], device: Device) -> None:
    for runtime in found.runtimes:
        if runtime.name in packages and not runtime.availability.available:
            raise DeviceError(
                f"{device.name}: {runtime.name} was installed and can't be used: {runtime.availability.reason}"
            )
