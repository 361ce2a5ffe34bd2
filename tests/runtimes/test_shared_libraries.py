"""Which libraries are missing, on libraries that the test builds."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit_runtimes.shared_libraries import loads, missing_libraries

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def build(path: Path, *options: str) -> Path:
    source = path.with_suffix(".c")
    source.write_text("int edgekit_answer(void) { return 1; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", path, source, *options], check=True)
    return path


@pytest.fixture
def needy(tmp_path: Path) -> Path:
    """A library that needs another one, which is gone."""
    other = build(tmp_path / "libother_edgekit.so", "-Wl,-soname,libother_edgekit.so.7")
    made = build(tmp_path / "libneedy_edgekit.so", "-Wl,--no-as-needed", str(other), "-lm")
    other.unlink()
    return made


def test_what_is_gone_is_named(needy: Path) -> None:
    assert missing_libraries(needy) == ("libother_edgekit.so.7",)


def test_what_lies_beside_it_is_there(needy: Path) -> None:
    build(needy.with_name("libother_edgekit.so.7"))
    assert missing_libraries(needy) == ()


def test_a_file_of_another_kind_needs_nothing(tmp_path: Path) -> None:
    (tmp_path / "libtext.so").write_text("not a library")
    assert missing_libraries(tmp_path / "libtext.so") == ()


def test_the_loader_is_asked() -> None:
    assert loads("libc.so.6")
    assert not loads("libnobody_has_this.so.1")
