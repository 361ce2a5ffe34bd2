"""The boards that `scripts/emulator` makes: a folder a board with ``root`` and ``board.toml``, as docs/devices.md describes.

Boards of one architecture share a system: Debian's Python, unpacked, and wheels of the runtimes, in the versions that are
installed here where there are such wheels, so that answers can be compared. A board's ``root`` has the system's files as hard
links, and its own ``/proc/cpuinfo``.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from debian_root import RELEASE, debian_root

from edgekit.devices.setup import fetch_wheels
from edgekit.devices.survey import Interpreter
from edgekit_runtimes.devices.emulated import boards_folder

PYTHON = "usr/bin/python3.11"
TESTING = ("click", "pytest")
"""What the conformance suite needs beside the runtimes."""

MADE_OF = "made-of"
"""The file that says what a folder was made of; the last one to be written."""


@dataclass(frozen=True, slots=True)
class System:
    """``architecture`` is Debian's name of what Linux calls ``machine``. ``wheels`` come with all that they need."""

    architecture: str
    machine: str
    qemu: str
    packages: tuple[str, ...]
    wheels: tuple[str, ...]
    lone_wheels: tuple[str, ...] = ()
    """Wheels whose needs the Debian packages serve."""


@dataclass(frozen=True, slots=True)
class Board:
    """``cpu`` is QEMU's name of the processor; ``core`` what /proc/cpuinfo says of each of the four, ``model`` of the board."""

    system: System
    cpu: str
    core: str
    model: str


_BASE = ("base-files", "coreutils", "dash", "findutils", "grep", "libstdc++6", "python3", "sed")
ARM64 = System("arm64", "aarch64", "qemu-aarch64-static", _BASE, ("numpy", "onnxruntime", "ai-edge-litert", *TESTING))
ARMHF = System(
    "armhf", "armv7l", "qemu-arm-static", (*_BASE, "python3-numpy"), TESTING, lone_wheels=("tflite-runtime>=2.14",)
)


def _core64(features: str, variant: int, part: int, revision: int) -> str:
    return (
        f"BogoMIPS\t: 108.00\nFeatures\t: {features}\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
        f"CPU variant\t: {variant:#x}\nCPU part\t: {part:#x}\nCPU revision\t: {revision}\n"
    )


def _core32(part: int, revision: int, features: str = "") -> str:
    listed = f"half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm {features}".rstrip()
    return (
        f"model name\t: ARMv7 Processor rev {revision} (v7l)\nBogoMIPS\t: 38.40\nFeatures\t: {listed}\n"
        f"CPU implementer\t: 0x41\nCPU architecture: 7\nCPU variant\t: 0x0\nCPU part\t: {part:#x}\nCPU revision\t: {revision}\n"
    )


_ARMV8 = "fp asimd evtstrm crc32 cpuid"
_ARMV8_2 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
BOARDS = {
    "raspberry-pi-2": Board(ARMHF, "cortex-a7", _core32(0xC07, 5), "Raspberry Pi 2 Model B Rev 1.1"),
    "raspberry-pi-3": Board(ARM64, "cortex-a53", _core64(_ARMV8, 0, 0xD03, 4), "Raspberry Pi 3 Model B Plus Rev 1.3"),
    "raspberry-pi-4": Board(ARM64, "cortex-a72", _core64(_ARMV8, 0, 0xD08, 3), "Raspberry Pi 4 Model B Rev 1.4"),
    "raspberry-pi-5": Board(ARM64, "cortex-a76", _core64(_ARMV8_2, 4, 0xD0B, 1), "Raspberry Pi 5 Model B Rev 1.0"),
    # With a 32-bit system. QEMU plays no Cortex-A53 in 32 bits; of what ARMv7 code can use, the Cortex-A7 has the same.
    "raspberry-pi-zero-2w": Board(ARMHF, "cortex-a7", _core32(0xD03, 4, "crc32"), "Raspberry Pi Zero 2 W Rev 1.0"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/emulator", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("boards", nargs="*", metavar="BOARD", help=f"one of {', '.join(BOARDS)}; all without one")
    parser.add_argument("--fresh", action="store_true", help="make the systems anew: newer packages, newer wheels")
    parser.add_argument("--list", action="store_true", help="list the boards and which of them are made")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.boards if name not in BOARDS]:
        parser.error(f"no board {unknown[0]!r}; there are {', '.join(BOARDS)}")
    folder = boards_folder()
    if arguments.list:
        for name, board in BOARDS.items():
            made = "made" if (folder / name / "board.toml").is_file() else "not made"
            print(f"emulated://{name:21} {board.model}, {board.system.architecture}, {made}")
        return 0
    with _alone(folder):
        _make(folder, {name: BOARDS[name] for name in arguments.boards or BOARDS}, fresh=arguments.fresh)
    return 0


def _make(folder: Path, boards: Mapping[str, Board], *, fresh: bool) -> None:
    for system in dict.fromkeys(board.system for board in boards.values()):
        own = folder / "systems" / system.architecture
        wheels = tuple(_as_here(name) for name in system.wheels)
        stamp = _stamp(system, wheels, RELEASE)
        if fresh or not _is_made_of(own, stamp):
            print(f"making the system of {system.architecture} boards", flush=True)
            _make_system(system, wheels, own, stamp)
    for name, board in boards.items():
        system_folder = folder / "systems" / board.system.architecture
        description = _description(board, system_folder)
        stamp = _stamp(board, description, system_folder.stat().st_ino)
        if not _is_made_of(folder / name, stamp):
            _make_board(board, folder / name, system_folder)
            (folder / name / "board.toml").write_text(description)
            (folder / name / MADE_OF).write_text(stamp)
        print(f"emulated://{name} is ready: {folder / name}")


def _stamp(*made_of: object) -> str:
    return hashlib.sha256(repr(made_of).encode()).hexdigest()


def _is_made_of(folder: Path, stamp: str) -> bool:
    kept = folder / MADE_OF
    return kept.is_file() and kept.read_text() == stamp


def _make_system(system: System, wheels: Sequence[str], folder: Path, stamp: str) -> None:
    """``folder`` with ``root`` and ``wheels``."""
    with _replaced(folder) as part:
        debian_root(system.architecture, system.packages, part)
        shutil.rmtree(part / "apt")
        _unpack_wheels(system, wheels, part)
        (part / MADE_OF).write_text(stamp)


def _as_here(package: str) -> str:
    """The version that is installed here, if one is: the same kernels on both sides."""
    try:
        return f"{package}=={version(package)}"
    except PackageNotFoundError:
        return package


def _unpack_wheels(system: System, wheels: Sequence[str], folder: Path) -> None:
    board = Interpreter(PYTHON, (3, 11, 2), system.machine, "2.36", "")
    archives = folder / "archives"
    archives.mkdir()
    fetch_wheels(board, wheels, archives)
    if system.lone_wheels:
        fetch_wheels(board, system.lone_wheels, archives, options=("--no-deps",))
    for archive in sorted(archives.glob("*.whl")):
        zipfile.ZipFile(archive).extractall(folder / "wheels")
    shutil.rmtree(archives)


def _description(board: Board, system: Path) -> str:
    """The content of board.toml."""
    lines = (
        f'qemu = "{board.system.qemu}"',
        f'cpu = "{board.cpu}"',
        f'python = "{PYTHON}"',
        "[env]",
        f'PYTHONPATH = "{system / "wheels"}"',
        'PYTHONDONTWRITEBYTECODE = ""  # an emulated processor had better compile a module once',
    )
    return "\n".join(lines) + "\n"


def _make_board(board: Board, folder: Path, system: Path) -> None:
    """The board's own root; its cache stays."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MADE_OF).unlink(missing_ok=True)
    with _replaced(folder / "root") as root:
        root.rmdir()
        shutil.copytree(system / "root", root, symlinks=True, copy_function=os.link)
        (root / "proc" / "cpuinfo").write_text(_cpuinfo(board))


def _cpuinfo(board: Board) -> str:
    cores = "\n".join(f"processor\t: {number}\n{board.core}" for number in range(4))
    return f"{cores}\nModel\t\t: {board.model}\n"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No second run of this script makes boards in the folder meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """A new folder that takes this one's place when the block ends well; until then it is called ``.part``."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


if __name__ == "__main__":
    raise SystemExit(main())
