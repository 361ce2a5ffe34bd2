"""A board over SSH, played by a real server on loopback."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ssh_server import SshServer, ssh_server

from edgekit import isolation
from edgekit.benchmark import Contender, TimingRequest
from edgekit.devices import Address, Device
from edgekit.errors import DeviceError, UsageError
from edgekit.isolation import Limits
from edgekit.latency import Timing
from edgekit.protocols import SessionOptions
from edgekit_runtimes.devices.ssh import SshTransport

pytestmark = pytest.mark.ssh


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def transport(server: SshServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshTransport]:
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", server.client_command)
    opened = SshTransport(server.url.removeprefix("ssh://"))
    yield opened
    opened.close()


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


def test_an_unknown_host_key_is_not_accepted(server: SshServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    strange = tmp_path / "config"
    strange.write_text(f"IdentityFile {server.folder / 'id'}\nUserKnownHostsFile {tmp_path / 'none'}\n")
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", f"ssh -F {strange}")
    with pytest.raises(DeviceError, match="Log in once by hand"):
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
    server: SshServer, monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
):
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", server.client_command)
    endless = Timing(min_seconds=600, max_seconds=600, max_runs=10**12)
    with Device.open(Address(server.url, sys.executable)) as device:
        request = TimingRequest((Contender(device.send(model), "onnxruntime", SessionOptions(), {}),), endless, False)
        breaker = threading.Timer(3.0, lambda: [os.kill(number, signal.SIGKILL) for number in server.connections()])
        breaker.start()
        with pytest.raises(DeviceError, match="was lost"):
            isolation.run("edgekit.benchmark:time_here", request, host=device, limits=Limits(seconds=60))
        breaker.join()
