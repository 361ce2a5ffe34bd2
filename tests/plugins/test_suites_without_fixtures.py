"""A package that inherits a suite of edgekit.testing and leaves out what is to be tested is told so, in one line a test."""

from __future__ import annotations

import pytest

pytest_plugins = ("pytester",)


@pytest.mark.parametrize(
    ("suite", "fixture"),
    [("RuntimeConformance", "runtime"), ("SourceConformance", "source"), ("TargetConformance", "name")],
)
def test_the_fixture_that_is_missing_is_named(pytester: pytest.Pytester, suite: str, fixture: str) -> None:
    pytester.makepyfile(f"from edgekit.testing import {suite}\nclass TestMine({suite}): pass\n")
    found = pytester.runpytest("-x", "-p", "no:cacheprovider")
    found.stdout.fnmatch_lines([f"give the fixture `{fixture}`: it returns the *"])
    found.stdout.no_fnmatch_line("*Error*")
