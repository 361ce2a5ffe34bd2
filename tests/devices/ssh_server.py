"""A real SSH server on loopback for the current user, with keys of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass
class SshServer:
    """A running server. ``folder`` holds its files and the client's: ``config``, ``id``, ``known_hosts``."""

    folder: Path
    port: int
    user: str
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"ssh://{self.user}@127.0.0.1:{self.port}"

    @property
    def client_command(self) -> str:
        """For EDGEKIT_SSH_COMMAND."""
        return f"ssh -F {self.folder / 'config'}"

    def connections(self) -> list[int]:
        """Process numbers of the server's children, one a connection."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(number) for number in children.split()]


@contextmanager
def ssh_server(folder: Path, *, force_command: str | None = None) -> Iterator[SshServer]:
    """``force_command``: what every login runs instead of the user's shell; it finds the command in SSH_ORIGINAL_COMMAND."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "id.pub", folder / "authorized_keys")
    port, user = _free_port(), pwd.getpwuid(os.getuid()).pw_name
    (folder / "sshd_config").write_text(_server_config(folder, port, force_command))
    host_key = (folder / "host.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(host_key)}\n")
    (folder / "config").write_text(
        f"IdentityFile {folder / 'id'}\nIdentitiesOnly yes\nUserKnownHostsFile {folder / 'known_hosts'}\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    daemon = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert daemon is not None, "no sshd: scripts/environment installs it"
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([daemon, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        _await_port(port, process, folder / "sshd.log")
        yield SshServer(folder, port, user, process)
    finally:
        process.terminate()
        process.wait(10)


def break_off(server: SshServer) -> None:
    for number in server.connections():
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


@contextmanager
def broken_off_after(server: SshServer, journal: Path) -> Iterator[None]:
    """From the first answer that was kept until the end of the block no connection lives: one that was idle when it broke would
    only be made anew."""
    done = threading.Event()

    def break_on() -> None:
        while not done.wait(0.02):
            if journal.exists() and journal.stat().st_size > 0:
                break_off(server)

    breaker = threading.Thread(target=break_on)
    breaker.start()
    try:
        yield
    finally:
        done.set()
        breaker.join()


def _server_config(folder: Path, port: int, force_command: str | None) -> str:
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        f"PidFile {folder / 'sshd.pid'}",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "UsePAM no",
        "StrictModes no",
        "PermitUserEnvironment no",
        "AcceptEnv none",
    ]
    return "\n".join([*lines, *([f"ForceCommand {force_command}"] if force_command else [])]) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"sshd did not start: {log.read_text()}")
