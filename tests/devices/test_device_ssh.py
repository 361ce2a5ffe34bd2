"""A board over SSH, played by a real server on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ssh_server import SshServer, break_off, broken_off_after, ssh_server

from edgekit import isolation
from edgekit.benchmark import Contender, TimingRequest
from edgekit.cli.border import run
from edgekit.devices import Address, Device
from edgekit.errors import DeviceError, UsageError
from edgekit.isolation import Limits
from edgekit.journal import Journal
from edgekit.latency import Timing
from edgekit.protocols import SessionOptions
from edgekit_runtimes.devices.ssh import RECEIVE, SshTransport

pytestmark = pytest.mark.ssh

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    folder = tmp_path_factory.mktemp("sshd")
    command = folder / "login"
    command.write_text(f'#!/bin/sh\nXDG_CACHE_HOME={folder}/cache exec sh -c "$SSH_ORIGINAL_COMMAND"\n')
    command.chmod(0o755)
    with ssh_server(folder, force_command=str(command)) as running:
        yield running


@pytest.fixture
def transport(server: SshServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshTransport]:
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", server.client_command)
    opened = SshTransport(server.url.removeprefix("ssh://"))
    yield opened
    opened.close()


@pytest.fixture
def kitchen(
    server: SshServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    board_python: str,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """The server in the inventory."""
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", server.client_command)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert run(["devices", "add", "kitchen", server.url, "--python", board_python]) == 0
    assert "onnxruntime" in capsys.readouterr().out
    return "kitchen"


def test_commands_and_files_cross(transport: SshTransport, tmp_path: Path):
    finished = transport.run(["sh", "-c", "cat; echo 'quoted \"words\"'; exit 3"], stdin=b"in ")
    assert (finished.code, finished.output) == (3, b'in quoted "words"\n')
    sent, there, back = tmp_path / "sent", tmp_path / "a name", tmp_path / "back"
    sent.write_bytes(os.urandom(300_000))
    transport.put(sent, str(there))
    transport.get(str(there), back)
    assert sent.read_bytes() == there.read_bytes() == back.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_a_file_that_cannot_be_written_leaves_nothing(transport: SshTransport, tmp_path: Path):
    sent = tmp_path / "sent"
    sent.write_bytes(b"x" * 1000)
    with pytest.raises(DeviceError, match="can't be written to /dev/full/x"):
        transport.put(sent, "/dev/full/x")


def test_half_a_file_never_stands_for_the_whole(
    server: SshServer, transport: SshTransport, tmp_path: Path, soon: Callable[[Callable[[], bool]], None]
):
    """A pipe whose second half never comes: the connection breaks first."""
    transport.run(["true"])
    pipe, there = tmp_path / "pipe", tmp_path / "there"
    part = f"{there}.part"
    os.mkfifo(pipe)
    digest = "0" * 64
    with pipe.open("r+b", buffering=0) as stream:
        stream.write(b"half")
        breaker = threading.Timer(1.0, break_off, [server])
        breaker.start()
        with pytest.raises(DeviceError, match="was lost"):
            transport._copy(["sh", "-c", RECEIVE, "sh", part, str(there), digest], stream.fileno(), None, 8)
        breaker.join()
    soon(lambda: not Path(part).exists())
    assert not there.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a disk that is full")
def test_a_board_whose_disk_is_full(
    server: SshServer, monkeypatch: pytest.MonkeyPatch, model: Path, board_python: str, tmp_path: Path
):
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", server.client_command)
    small = server.folder / "cache" / "edgekit" / "models"
    small.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        large = tmp_path / "large.onnx"
        large.write_bytes(os.urandom(1_000_000))
        with (
            Device.open(Address(server.url, board_python)) as device,
            pytest.raises(DeviceError, match="disk is full: make room"),
        ):
            device.send(large)
        assert list(small.rglob("*.part")) == list(small.rglob("*.onnx")) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_an_unknown_host_key_is_not_accepted(server: SshServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    strange = tmp_path / "config"
    strange.write_text(f"IdentityFile {server.folder / 'id'}\nUserKnownHostsFile {tmp_path / 'none'}\n")
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", f"ssh -F {strange}")
    with pytest.raises(DeviceError, match="Log in once by hand"):
        Device.open(Address(server.url))


def test_a_changed_host_key_is_not_accepted(server: SshServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    other = (server.folder / "id.pub").read_text().split()[:2]
    (tmp_path / "known").write_text(f"[127.0.0.1]:{server.port} {' '.join(other)}\n")
    strange = tmp_path / "config"
    strange.write_text(f"IdentityFile {server.folder / 'id'}\nUserKnownHostsFile {tmp_path / 'known'}\n")
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", f"ssh -F {strange}")
    with pytest.raises(DeviceError, match="ssh-keygen -R"):
        Device.open(Address(server.url))


def test_a_key_that_is_refused(server: SshServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    strange = tmp_path / "config"
    strange.write_text(f"IdentityFile none\nIdentitiesOnly yes\nUserKnownHostsFile {server.folder / 'known_hosts'}\n")
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", f"ssh -F {strange}")
    with pytest.raises(DeviceError, match="ssh-copy-id"):
        Device.open(Address(server.url))


def test_a_closed_port(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("EDGEKIT_SSH_COMMAND", raising=False)
    with pytest.raises(DeviceError, match="Is its SSH server running"):
        Device.open(Address("ssh://127.0.0.1:9"))


@pytest.mark.parametrize("address", ["-oProxyCommand=evil", "a b", "", "host:port"])
def test_an_address_that_is_none(address: str):
    with pytest.raises(UsageError, match="no SSH address"):
        SshTransport(address)


def test_a_connection_that_breaks_in_the_middle(
    server: SshServer,
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    board_python: str,
    soon: Callable[[Callable[[], bool]], None],
):
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", server.client_command)
    endless = Timing(min_seconds=600, max_seconds=600, max_runs=10**12)
    with Device.open(Address(server.url, board_python)) as device:
        request = TimingRequest((Contender(device.send(model), "onnxruntime", SessionOptions(), {}),), endless, False)
        breaker = threading.Thread(target=break_off_in_a_job, args=(server,), daemon=True)
        breaker.start()
        with pytest.raises(DeviceError, match="was lost"):
            isolation.run("edgekit.benchmark:time_here", request, host=device, limits=Limits(seconds=60))
        breaker.join()
    soon(lambda: jobs(server) == [])


def test_a_board_lost_while_files_are_checked_goes_on_with_resume(
    server: SshServer,
    kitchen: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    soon: Callable[[Callable[[], bool]], None],
):
    out = tmp_path / "out"
    command = ["convert", str(DIGITS / "digits_cnn.keras"), "--calibrate", str(DIGITS / "calibrate.npz")]
    command += ["--evaluate", str(DIGITS / "evaluate.npz"), "-o", str(out), "--device", kitchen, "--json"]
    with broken_off_after(server, out / "report.journal"):
        assert run(command) == 1
    lost = json.loads(capsys.readouterr().out)
    assert "--resume goes on" in lost["failures"][0]["message"]
    answers = len(Journal(out / "report.journal"))
    assert answers > 0
    made = {path.name: path.read_bytes() for path in out.glob("*.int8.*") if path.suffix != ".json"}
    soon(lambda: jobs(server) == [])

    assert run([*command, "--resume"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {path.name: path.read_bytes() for path in out.glob("*.int8.*") if path.suffix != ".json"} == made
    assert report["settings"]["device"] == kitchen
    assert all(entry["latency"] for entry in report["entries"] if entry["role"] == "artifact")
    assert not (out / "report.journal").exists()


def test_a_bench_that_was_lost_goes_on_with_what_it_has(
    server: SshServer, kitchen: str, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
):
    journal = tmp_path / "journal"
    bench = ["bench", str(model), "--device", kitchen, "--json", "--resume", str(journal)]
    with broken_off_after(server, journal):
        assert run([*bench, "--min-seconds", "30"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "DeviceError"
    assert len(Journal(journal)) >= 1, "what opening costs"
    assert run([*bench, "--min-seconds", "50ms"]) == 0
    assert not journal.exists(), "all is done"


def break_off_in_a_job(server: SshServer) -> None:
    while not jobs(server):
        time.sleep(0.1)
    break_off(server)


def jobs(server: SshServer) -> list[str]:
    return [path.name for path in (server.folder / "cache" / "edgekit" / "jobs").glob("*") if path.is_dir()]
