"""What every `Source` promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import registry
from edgekit.agreement import AgreementMeter
from edgekit.errors import EdgekitError
from edgekit.example_feeds import example_feeds
from edgekit.protocols import ReadOptions, Source
from edgekit.reading import read_hub

LEAST_SQNR_DB = 80.0
"""A float32 hub answers as its framework does, up to the order of additions."""


class SourceConformance:
    """Inherit it and give the fixtures ``source`` and ``example``; a reader that can't be used here is skipped, with its reason.

    Needs the packages of ``edgekit-ml[convert]``.
    """

    @pytest.fixture
    def source(self) -> Source:
        """What is tested."""
        pytest.fail("give the fixture `source`: it returns the Source to test", pytrace=False)

    @pytest.fixture
    def example(self, tmp_path: Path) -> Path:
        """A model file or folder that the reader takes."""
        pytest.fail("give the fixture `example`: it returns the path of a model of that framework", pytrace=False)

    @pytest.fixture
    def options(self) -> ReadOptions:
        """What a user must tell the reader about the example; nothing by default."""
        return ReadOptions()

    @pytest.fixture(autouse=True)
    def _usable(self, source: Source) -> None:
        availability = source.probe()
        if not availability.available:
            pytest.skip(f"{source.name}: {availability.reason}")

    @pytest.fixture
    def hub(self, source: Source, example: Path, options: ReadOptions) -> Any:
        """The example as `edgekit convert` reads it."""
        return read_hub(source, example, options)

    def test_it_has_a_name_of_one_word(self, source: Source) -> None:
        assert source.name == source.name.lower().strip()
        assert len(source.name.split()) == 1

    def test_it_knows_its_own_files(self, source: Source, example: Path) -> None:
        assert source.matches(example)

    @pytest.mark.parametrize("name", ["notes.txt", "empty", "absent.bin"])
    def test_it_leaves_other_files_to_others(self, source: Source, tmp_path: Path, name: str) -> None:
        (tmp_path / "notes.txt").write_text("nothing that a network is made of")
        (tmp_path / "empty").mkdir()
        assert not source.matches(tmp_path / name)

    def test_inputs_and_outputs_have_names_and_types_of_their_own(self, hub: Any) -> None:
        for specs in (hub.inputs, hub.outputs):
            names = [spec.name for spec in specs]
            assert names
            assert all(names)
            assert len(set(names)) == len(names)
            assert all(np.dtype(spec.dtype).kind in "fiub" for spec in specs)

    def test_the_hub_runs(self, hub: Any) -> None:
        outputs = registry.stage("hub_session")(hub).run(example_feeds(hub.inputs))
        assert list(outputs) == [spec.name for spec in hub.outputs]
        assert all(np.isfinite(array).all() for array in outputs.values() if array.dtype.kind == "f")

    def test_a_file_is_read_alike_every_time(
        self, source: Source, example: Path, options: ReadOptions, hub: Any
    ) -> None:
        again = read_hub(source, example, options)
        feeds = example_feeds(hub.inputs)
        first, second = (registry.stage("hub_session")(each).run(feeds) for each in (hub, again))
        assert list(first) == list(second)
        assert all(np.array_equal(first[name], second[name]) for name in first)

    def test_the_hub_answers_as_the_framework_does(
        self, source: Source, example: Path, options: ReadOptions, hub: Any
    ) -> None:
        reference = source.reference(example, options)
        if reference is None:
            pytest.skip(f"the framework of {source.name} is not installed: there is nothing to compare with")
        assert [spec.name for spec in reference.inputs] == [spec.name for spec in hub.inputs]
        meter = AgreementMeter()
        session = registry.stage("hub_session")(hub)
        for seed in range(4):
            feeds = example_feeds(hub.inputs, seed)
            meter.update(reference.run(feeds), session.run(feeds))
        reference.close()
        assert meter.result().sqnr_db >= LEAST_SQNR_DB

    def test_a_file_that_was_cut_short_is_refused(
        self, source: Source, example: Path, options: ReadOptions, tmp_path: Path
    ) -> None:
        if not example.is_file():
            pytest.skip("the example is a folder")
        folder = tmp_path / "damaged"
        folder.mkdir()
        damaged = folder / example.name
        damaged.write_bytes(example.read_bytes()[: example.stat().st_size // 3])
        with pytest.raises(EdgekitError):
            read_hub(source, damaged, options)

    def test_a_file_that_is_not_there_is_refused(self, source: Source, example: Path, options: ReadOptions) -> None:
        with pytest.raises(EdgekitError):
            read_hub(source, example.with_name(f"absent{example.suffix}"), options)
