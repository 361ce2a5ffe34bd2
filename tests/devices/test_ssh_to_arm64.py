"""The whole life of a board over SSH: a real server on loopback, whose account lives in the root of an emulated Raspberry Pi 4.

Every program that a login starts is the board's own arm64 one (shell, sha256sum, Python), played by QEMU; proot makes the
root theirs.
The board begins as its maker delivers it: Python, and neither numpy nor a runtime.
"""

from __future__ import annotations

import io
import json
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_boards import board_root
from ssh_server import SshServer, broken_off_after, ssh_server

from edgekit.cli.border import run
from edgekit.cli.console import Console
from edgekit.journal import Journal

pytestmark = [pytest.mark.ssh, pytest.mark.emulated, pytest.mark.slow]

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
CALIBRATE = ("--calibrate", DIGITS / "calibrate.npz")
FEW_PROCESSES = ("--processes", "2", "--min-seconds", "300ms")
"""A bench that shows that there are figures; starting Python there takes seconds."""

EVALUATED = 100
"""Samples: enough for an accuracy, few enough for an emulated processor."""


@dataclass(frozen=True, slots=True)
class Kitchen:
    """The board. ``home``: its account's home folder, as this machine sees it."""

    server: SshServer
    home: Path

    def jobs(self) -> list[str]:
        """Temporary folders of processes on the board."""
        return [path.name for path in (self.home / ".cache" / "edgekit" / "jobs").iterdir() if path.is_dir()]


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    """The bare board in the inventory."""
    root = board_root("raspberry-pi-4")
    if shutil.which("proot") is None:
        pytest.skip("no proot: apt install proot")
    folder = tmp_path_factory.mktemp("board")
    with pytest.MonkeyPatch.context() as patch, ssh_server(folder, force_command=str(login(folder, root))) as server:
        patch.setenv("EDGEKIT_SSH_COMMAND", server.client_command)
        patch.setenv("XDG_CONFIG_HOME", str(folder / "inventory"))
        board = Kitchen(server, folder / "home")
        code, found = edgekit("devices", "add", "kitchen", server.url)
        assert code == 0, found
        assert (found["interpreter"]["machine"], found["interpreter"]["numpy"], found["survey"]) == (
            "aarch64",
            "",
            None,
        )
        yield board


@pytest.fixture(scope="module")
def equipped(kitchen: Kitchen) -> Kitchen:
    """The board after ``edgekit devices setup``."""
    code, found = edgekit("devices", "setup", "kitchen")
    if code != 0 and "no package index is reached" in found["error"]["message"]:
        pytest.skip(found["error"]["message"])
    assert code == 0, found
    return kitchen


@pytest.fixture(scope="module")
def made(equipped: Kitchen, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Folder and report of a conversion for the board, checked there."""
    out = tmp_path_factory.mktemp("made")
    command = ("convert", DIGITS / "digits_cnn.keras", *CALIBRATE, "-o", out, "--target", "raspberry-pi-4")
    checks = ("--evaluate", evaluation(out), "--metric", "top1", "--limit-drop", "2")
    code, report = edgekit(*command, *checks, "--device", "kitchen")
    assert code == 0, report
    return out, report


def test_setup_gave_it_the_runtimes_of_its_processor(equipped: Kitchen) -> None:
    code, found = edgekit("devices", "probe", "kitchen")
    assert code == 0
    assert found["survey"]["conditions"]["processor"] == "Raspberry Pi 4 Model B Rev 1.4"
    usable = [one["name"] for one in found["survey"]["runtimes"] if one["availability"]["available"]]
    assert usable == ["onnxruntime", "litert"]
    code, listed = edgekit("devices", "list")
    assert [entry["name"] for entry in listed["devices"]] == ["kitchen"]
    assert listed["devices"][0]["found"]["machine"] == "aarch64"
    libraries = equipped.home.glob(".cache/edgekit/venv/lib/python3.11/site-packages/onnxruntime/capi/*.so")
    assert {elf_machine(library) for library in libraries} == {AARCH64}


def test_accuracy_is_measured_there(made: tuple[Path, dict[str, Any]]) -> None:
    _, report = made
    assert report["settings"]["device"] == "kitchen"
    artifacts = [entry for entry in report["entries"] if entry["role"] == "artifact"]
    assert {entry["format"] for entry in artifacts} == {"tflite", "onnx"}
    for entry in artifacts:
        assert entry["accuracy"] > 0.9
        assert entry["agreement"]["samples"] == EVALUATED
        assert entry["latency"]["runs"] > 0


def test_a_file_answers_there_as_it_does_here(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Up to the softmax at its end, which is float and whose exponentials are those of the processor."""
    file, answers = made[0] / "digits_cnn.int8.tflite", []
    for name, where in (("here", ()), ("there", ("--device", "kitchen"))):
        output = tmp_path / f"{name}.npz"
        code, found = edgekit("run", file, "--input", made[0] / "evaluate.npz", "--output", output, *where)
        assert code == 0, found
        with np.load(output) as stored:
            answers.append(next(iter(stored.values())))
    np.testing.assert_allclose(*answers, rtol=1e-6, atol=1e-7)


def test_a_file_is_checked_there_against_its_original(made: tuple[Path, dict[str, Any]]) -> None:
    file, original = made[0] / "digits_cnn.int8.tflite", DIGITS / "digits_cnn.keras"
    command = ("check", file, "--against", original, "--samples", DIGITS / "evaluate.npz", "--limit", "50")
    code, report = edgekit(*command, "--limit-drop", "2", "--device", "kitchen")
    assert code == 0, report
    assert report["settings"]["device"] == "kitchen"


def test_a_bench_there_has_its_figures(made: tuple[Path, dict[str, Any]]) -> None:
    code, found = edgekit("bench", made[0] / "digits_cnn.int8.onnx", "--device", "kitchen", *FEW_PROCESSES)
    assert code == 0, found
    assert found["device"] == "kitchen"
    assert found["before"]["machine"] == "aarch64"
    assert [result["latency"]["runs"] > 10 for result in found["results"]] == [True]


def test_a_board_lost_while_files_are_checked_goes_on_with_resume(
    equipped: Kitchen, tmp_path: Path, soon: Callable[[Callable[[], bool]], None]
) -> None:
    out = tmp_path / "out"
    command = ("convert", DIGITS / "digits_cnn.keras", *CALIBRATE, "--evaluate", evaluation(tmp_path), "-o", out)
    command = (*command, "--to", "tflite", "--device", "kitchen")
    with broken_off_after(equipped.server, out / "report.journal"):
        code, lost = edgekit(*command)
    assert code == 1
    assert "--resume goes on" in lost["failures"][0]["message"]
    answers = len(Journal(out / "report.journal"))
    assert answers > 0
    soon(lambda: equipped.jobs() == [])

    code, report = edgekit(*command, "--resume")
    assert code == 0, report
    assert all(entry["latency"] for entry in report["entries"] if entry["role"] == "artifact")
    assert not (out / "report.journal").exists()


def test_a_bench_that_was_lost_goes_on_with_what_it_has(
    equipped: Kitchen, made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    command = ("bench", made[0] / "digits_cnn.int8.tflite", "--device", "kitchen", "--resume", journal)
    with broken_off_after(equipped.server, journal):
        code, lost = edgekit(*command, "--min-seconds", "60")
    assert (code, lost["error"]["kind"]) == (1, "DeviceError")
    assert len(Journal(journal)) >= 1, "what opening costs"
    code, found = edgekit(*command, *FEW_PROCESSES)
    assert code == 0, found
    assert not journal.exists(), "all is done"


def edgekit(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON document of a command."""
    stdout, stderr = io.StringIO(), io.StringIO()
    code = run([*map(str, arguments), "--json"], Console(stdout, stderr))
    return code, json.loads(stdout.getvalue())


def evaluation(folder: Path) -> Path:
    """The first samples of evaluate.npz, as a file in the folder."""
    with np.load(DIGITS / "evaluate.npz") as samples:
        np.savez(folder / "evaluate.npz", **{name: array[:EVALUATED] for name, array in samples.items()})
    return folder / "evaluate.npz"


AARCH64 = 183
"""e_machine of its programs (ELF for the Arm 64-bit Architecture)."""


def elf_machine(library: Path) -> int:
    with library.open("rb") as stream:
        return int.from_bytes(stream.read(20)[18:20], "little")


def login(folder: Path, root: Path) -> Path:
    """What every login runs: its command inside the board's root."""
    home, script = folder / "home", folder / "login"
    home.mkdir()
    binds = ["/dev", "/proc", "/sys", f"{root / 'proc' / 'cpuinfo'}:/proc/cpuinfo", f"{home}:/home/pi"]
    options = ["-q", "qemu-aarch64-static -cpu cortex-a72", "-r", str(root), "-w", "/home/pi"]
    options += [part for bind in binds for part in ("-b", bind)]
    older_calls = [sys.executable, "-I", "-S", str(Path(__file__).with_name("without_new_calls.py"))]
    inside = ["env", "-i", "HOME=/home/pi", "PATH=/usr/bin:/bin", shutil.which("proot") or "proot", *options]
    command = shlex.join([*older_calls, *inside, "/bin/sh", "-c"])
    script.write_text(f'#!/bin/sh\nexec {command} "$SSH_ORIGINAL_COMMAND"\n')
    script.chmod(0o755)
    return script
