"""The file with the user's devices."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.devices import Address
from edgekit.devices.inventory import Entry, Inventory, find_address, inventory_path
from edgekit.errors import RecipeError, UnknownNameError, UsageError

KITCHEN = Entry(
    "kitchen", "ssh://pi@kitchen:2222", "/opt/python3", {"board": 'Pi "4"', "cores": 4, "runtimes": ["a 1"]}
)


def test_what_is_saved_is_loaded(tmp_path: Path):
    path = tmp_path / "new" / "devices.toml"
    Inventory(path, {}).with_entry(KITCHEN).with_entry(Entry("here", "local")).save()
    assert Inventory.load(path).entries == {"kitchen": KITCHEN, "here": Entry("here", "local")}


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]+", fullmatch=True), st.text(st.characters(codec="utf-8")) | st.integers(0, 10**9)
    )
)
def test_any_words_that_a_probe_finds_come_back(tmp_path_factory: pytest.TempPathFactory, found: dict[str, str | int]):
    path = tmp_path_factory.mktemp("inventory") / "devices.toml"
    Inventory(path, {}).with_entry(Entry("a", "local", found=found)).save()
    assert Inventory.load(path).find("a").found == found


def test_a_name_stands_for_its_device(tmp_path: Path):
    path = tmp_path / "devices.toml"
    Inventory(path, {}).with_entry(KITCHEN).save()
    assert find_address("kitchen", path) == Address(KITCHEN.url, KITCHEN.python, "kitchen")
    assert find_address("ssh://pi@garden", path) == Address("ssh://pi@garden")
    with pytest.raises(UnknownNameError, match="Did you mean 'kitchen'"):
        find_address("kitchn", path)


def test_the_last_device_leaves_an_empty_file(tmp_path: Path):
    path = tmp_path / "devices.toml"
    Inventory(path, {"kitchen": KITCHEN}).without("kitchen").save()
    assert Inventory.load(path).entries == {}
    with pytest.raises(UnknownNameError):
        Inventory.load(path).without("kitchen")


@pytest.mark.parametrize("name", ["local", "ssh://x", "a b", "", "-x", 'a"b'])
def test_a_name_that_is_none(name: str):
    with pytest.raises(UsageError, match="no name for a device"):
        Entry(name, "local")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\n", "no url"),
        ("a = 1\n", "no url"),
        ('[a]\nurl = "local"\nport = 1\n', "unknown key 'port'"),
        ("[", "not valid TOML"),
    ],
)
def test_a_damaged_file(tmp_path: Path, text: str, message: str):
    (tmp_path / "devices.toml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        Inventory.load(tmp_path / "devices.toml")


def test_the_file_lies_in_the_configuration_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert inventory_path() == tmp_path / "edgekit" / "devices.toml"
