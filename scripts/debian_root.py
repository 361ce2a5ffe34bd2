"""A folder with the programs of another processor's Debian, unpacked from its packages; nothing of it is installed here.

apt's lists, archives and status live in a folder of their own, so that the system's apt does not notice. Needs no root.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

RELEASE = "bookworm"
"""Debian 12, which Raspberry Pi OS was made of from 2023 to 2025: Python 3.11 and glibc 2.36."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def debian_root(architecture: str, packages: Sequence[str], folder: Path) -> Path:
    """``folder/root`` with the packages and all that they need. Exits with apt's words when they can't be had."""
    apt, root = folder / "apt", folder / "root"
    options = _options(architecture, apt)
    _run("apt-get", *options, "-qq", "update")
    _run("apt-get", *options, "-qq", "--yes", "--download-only", "install", *packages)
    root.mkdir()
    for archive in sorted((apt / "archives").glob("*.deb")):
        _run("dpkg", "-x", str(archive), str(root))
    _finish(root)
    return root


def _options(architecture: str, apt: Path) -> list[str]:
    """apt, made to believe that it is on an empty machine of that architecture."""
    for name in ("lists/partial", "archives/partial", "empty"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={_keyring()}] {_mirror()} {RELEASE} main\n")
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures::": architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
        "Dir::State": apt,
        "Dir::State::Lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": apt / "empty",
        "Dir::Etc::preferencesparts": apt / "empty",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _keyring() -> Path:
    if not KEYRING.is_file():
        raise SystemExit(f"{KEYRING} is missing. Install it with: apt install debian-archive-keyring")
    return KEYRING


def _mirror() -> str:
    """Where this machine's own packages come from, or ``EDGEKIT_DEBIAN_MIRROR``."""
    if named := os.environ.get("EDGEKIT_DEBIAN_MIRROR"):
        return named
    listed = _run("apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages")
    system = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    own = f"{system.get('VERSION_CODENAME', '').strip(chr(34))} main "
    if system.get("ID") == "debian":
        for line in listed.splitlines():
            if line.startswith(own):
                return line.removeprefix(own)
    raise SystemExit("this machine's apt names no Debian mirror; set EDGEKIT_DEBIAN_MIRROR to the address of one")


def _finish(root: Path) -> None:
    """The folders and links that the packages' own scripts and the installer would make; those can't run here."""
    for name in ("dev", "home/pi", "proc", "sys", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("blas/libblas.so.3", "lapack/liblapack.so.3"):
        for library in root.glob(f"usr/lib/*/{name}"):
            (library.parent.parent / library.name).symlink_to(name)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[:1])} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout
