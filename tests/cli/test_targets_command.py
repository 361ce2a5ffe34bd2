"""``edgekit targets``."""

from __future__ import annotations

import json

import pytest

from edgekit.cli.border import run
from edgekit.target import builtin_targets


def test_the_list_names_every_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["targets"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in builtin_targets())


def test_one_profile_shows_its_entries_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["targets", "raspberry-pi-zero-2w"]) == 0
    out = capsys.readouterr().out
    assert "0.5 GiB" in out
    assert "Source: Raspberry Pi Zero 2 W product brief" in out


def test_json_has_a_schema_and_plain_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["targets", "coral", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "edgekit.targets/1"
    assert document["targets"][0]["io"] == "int8"


def test_an_unknown_profile_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["targets", "coal"]) == 2
    assert "Did you mean 'coral'" in capsys.readouterr().err
