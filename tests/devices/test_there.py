"""Files opened, run and timed on a device by the code that does it here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.benchmark import benchmark, contender
from edgekit.devices import Address, There, opened_model
from edgekit.errors import MeasurementError, RuntimeUnavailableError
from edgekit.latency import Timing
from edgekit.place import Here, reached


@pytest.fixture
def address(cache: Path, board_python: str) -> Address:
    return Address("local", board_python, "kitchen")


def test_a_model_answers_there_as_it_does_here(address: Address, model: Path):
    x = np.array([[0.0, 1.0, 2.0]], np.float32)
    with opened_model(model, address) as there, opened_model(model, None) as here:
        np.testing.assert_array_equal(there(x), here(x))
        assert (there.runtime, here.runtime) == ("onnxruntime on kitchen", "onnxruntime")


def test_a_bench_there_has_all_figures(address: Address, model: Path):
    timing = Timing(min_seconds=0.05, warm_up_seconds=0.05)
    with reached(address) as place:
        found = benchmark([contender(model, place=place)], timing, place=place)
    (result,) = found.results
    assert found.device == "kitchen"
    assert (result.file, result.runtime) == (str(model), "onnxruntime")
    assert result.latency.runs > 10
    assert result.load.peak_memory_bytes > 10e6


def test_nothing_given_is_this_machine():
    with reached(None) as place:
        assert isinstance(place, Here)


def test_a_device_without_the_runtime_says_what_installs_it(address: Address):
    with There.reach(address) as there, pytest.raises(RuntimeUnavailableError, match="edgekit devices setup kitchen"):
        there.runtime(Path("a.tflite"), "tflite_runtime")


def test_answers_are_found_again_without_asking(address: Address, model: Path, tmp_path: Path):
    timing = Timing(min_seconds=0.05, warm_up_seconds=0.05)
    found = []
    for _ in range(2):
        with reached(address, tmp_path / "journal") as place:
            found.append(benchmark([contender(model, place=place)], timing, place=place).results)
    assert found[0] == found[1], "times of two measurements are never equal"


def test_an_emulated_board_is_not_timed(model: Path):
    class Emulated(Here):  # type: ignore[misc]
        name, emulated = "emulated://board", True

    with pytest.raises(MeasurementError, match="say nothing about a board"):
        benchmark([contender(model)], Timing(), place=Emulated())
