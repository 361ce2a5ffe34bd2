"""What a device profile should have."""

from __future__ import annotations

import pytest

from edgekit import registry
from edgekit.target import Target, load_target, target_names


class TargetConformance:
    """Inherit it and give the fixture ``name``: that of a profile that an entry point ``edgekit.targets`` adds."""

    @pytest.fixture
    def name(self) -> str:
        """The profile that is tested."""
        pytest.fail("give the fixture `name`: it returns the name of the profile to test", pytrace=False)

    @pytest.fixture
    def target(self, name: str) -> Target:
        return load_target(name)

    def test_it_is_listed_under_its_name(self, name: str, target: Target) -> None:
        assert name in target_names()
        assert target.name == name

    def test_it_says_what_the_device_is_and_where_that_is_written(self, target: Target) -> None:
        assert target.title
        assert target.sources

    def test_a_runtime_opens_what_is_written_for_it(self, target: Target) -> None:
        formats = {name for runtime in registry.runtimes() for name in runtime.formats}
        assert set(target.formats) <= formats

    def test_the_compiler_that_it_names_is_known(self, target: Target) -> None:
        assert not target.compiler or target.compiler in registry.names("compiler")
