"""The built-in device profiles and what is said about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import RecipeError, UnknownNameError
from edgekit.recipe import IoType
from edgekit.target import builtin_targets, load_target

NAMES = (
    "android",
    "coral",
    "cpu",
    "ethos-u55",
    "jetson-nano",
    "jetson-orin",
    "microcontroller",
    "raspberry-pi-3",
    "raspberry-pi-4",
    "raspberry-pi-5",
    "raspberry-pi-zero-2w",
)


def test_all_profiles_are_there() -> None:
    assert builtin_targets() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_names_its_sources(name: str) -> None:
    target = load_target(name)
    assert target.name == name
    assert target.sources
    assert all("https://" in source for source in target.sources)


@pytest.mark.parametrize("name", ["coral", "ethos-u55", "microcontroller"])
def test_integer_only_devices_take_tflite_with_integer_inputs_alone(name: str) -> None:
    target = load_target(name)
    assert (target.formats, target.io, target.integer_only) == (("tflite",), IoType.INT8, True)


def test_a_microcontroller_has_limits_and_an_engine_of_its_own() -> None:
    target = load_target("microcontroller")
    assert (target.memory_bytes, target.flash_bytes, target.runtime) == (640 * 1024, 2 * 1024**2, "tflite_micro")


def test_tensorrt_gets_symmetric_signed_activations() -> None:
    target = load_target("jetson-orin")
    assert (target.formats[0], target.activations, target.onnx_activation_type) == ("onnx", "symmetric", "int8")


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'raspberry-pi-4'"):
        load_target("raspbery-pi-4")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('titel = "x"', "unknown key 'titel'"),
        ('title = "x"\nactivations = "odd"', "expected asymmetric or symmetric"),
        ('title = "x"\nformats = ["gguf"]', "known: tflite, onnx"),
        ('title = "x"\nio = "int4"', "int4"),
        ("title = ", "not valid TOML"),
        ("", "title"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=says):
        load_target(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot read"):
        load_target(str(tmp_path / "none.toml"))
