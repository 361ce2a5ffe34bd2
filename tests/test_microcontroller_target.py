"""Targets with an engine of their own: checked in it where it is installed, judged by the device's flash and memory."""

from __future__ import annotations

from typing import Any

import pytest
from conversion import CALIBRATE, DIGITS, Converted, convert

from edgekit_runtimes.tflite_micro import TfliteMicro

pytestmark = pytest.mark.slow
INSTALLED = TfliteMicro().probe().available
NAME = "digits_cnn.int8.tflite"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """The digits example for a board whose flash takes the file and whose memory does not take the arena."""
    folder = tmp_path_factory.mktemp("micro")
    lines = ['title = "A small board"', 'formats = ["tflite"]', 'io = "int8"', "integer-only = true"]
    lines += ['runtime = "tflite_micro"', "memory-bytes = 4096", "flash-bytes = 65536"]
    (folder / "small.toml").write_text("\n".join(lines))
    options = (*CALIBRATE, "--evaluate", str(DIGITS / "evaluate.npz"), "--target", str(folder / "small.toml"))
    return convert(DIGITS / "digits_cnn.keras", folder / "out", *options)


def limits(made: Converted) -> dict[str, Any]:
    return {limit["name"]: limit for limit in made.document["limits"]}


def entry(made: Converted) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in made.document["entries"] if each["name"] == NAME)
    return found


def test_the_file_is_judged_by_the_flash(made: Converted) -> None:
    assert limits(made)["file in flash"]["found"] == (made.out / NAME).stat().st_size


@pytest.mark.skipif(not INSTALLED, reason="tflite-micro is not installed")
def test_it_is_checked_in_the_devices_interpreter_and_judged_by_its_memory(made: Converted) -> None:
    assert made.code == 1
    assert entry(made)["runtime"].startswith("tflite_micro")
    assert entry(made)["placement"]["arena_bytes"] == limits(made)["arena"]["found"] > 4096
    assert entry(made)["latency"] is None
    assert any("is not timed" in note for note in made.document["notes"])


@pytest.mark.skipif(INSTALLED, reason="tflite-micro is installed")
def test_without_the_devices_interpreter_the_report_says_so(made: Converted) -> None:
    assert made.code == 0, made.err
    assert entry(made)["runtime"].startswith("litert")
    assert any("not checked in tflite_micro" in note for note in made.document["notes"])
