"""What other packages add is found by entry points; what they break is told and harms nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edgekit import registry
from edgekit.cli.border import run
from edgekit.errors import PluginError, SourceError, UnknownNameError
from edgekit.inference import find_runtime
from edgekit.reading import find_source
from edgekit.target import load_target, target_names

ENTRY_POINTS = """
[edgekit.runtimes]
broken = plugin_that_breaks:Runtime
unmade = plugin_that_works:Unmade

[edgekit.sources]
broken = plugin_that_breaks:Source

[edgekit.compilers]
passthrough = plugin_that_works:Passthrough

[edgekit.targets]
our-board = plugin_that_works
no-file = plugin_that_works
no-package = plugin_that_is_not_there
"""
WORKS = """
from edgekit.compilation import Compiled
from edgekit.protocols import Availability, Placement


class Unmade:
    def __init__(self):
        raise OSError("its driver is not loaded")


class Passthrough:
    name, formats, suffix = "passthrough", ("onnx",), ".same.onnx"

    def probe(self):
        return Availability(True, "1")

    def compile(self, path, target, options, progress):
        target.write_bytes(path.read_bytes())
        return Compiled(target, "1", "nothing", "Nothing", Placement(()))
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with its metadata, as pip leaves it, on the path of this process and its children."""
    site = tmp_path / "site"
    package, metadata = site / "plugin_that_works", site / "edgekit_test_plugin-1.0.dist-info"
    package.mkdir(parents=True)
    metadata.mkdir()
    (package / "__init__.py").write_text(WORKS)
    (package / "our-board.toml").write_text('title = "Our board"\nformats = ["onnx"]\nsources = ["its data sheet"]\n')
    (site / "plugin_that_breaks.py").write_text("import a_package_that_is_missing\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: edgekit-test-plugin\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "plugin_that_works", raising=False)
    return site


def test_a_profile_of_another_package_is_listed_and_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert "our-board" in target_names()
    assert load_target("our-board").formats == ("onnx",)
    assert run(["targets", "our-board"]) == 0
    assert "Our board" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "why"), [("no-file", "plugin_that_works has no no-file.toml"), ("no-package", "ModuleNotFoundError")]
)
def test_a_profile_that_is_not_where_it_should_be_names_its_package(name: str, why: str) -> None:
    with pytest.raises(PluginError, match=f"target '{name}' of the package 'edgekit-test-plugin'.*{why}"):
        load_target(name)


def test_an_unknown_profile_suggests_those_of_other_packages_too() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'our-board'"):
        load_target("our-bord")


@pytest.mark.parametrize(
    ("name", "why"), [("broken", "a_package_that_is_missing"), ("unmade", "its driver is not loaded")]
)
def test_a_runtime_that_cannot_be_loaded_is_told_when_it_is_asked_for(name: str, why: str) -> None:
    with pytest.raises(
        PluginError, match=f"runtime '{name}' of the package 'edgekit-test-plugin' can't be loaded.*{why}"
    ):
        registry.runtime(name)


def test_runtimes_that_cannot_be_loaded_stand_in_the_list_and_in_nobodys_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["runtimes", "--json"]) == 0
    listed = {entry["name"]: entry["availability"] for entry in json.loads(capsys.readouterr().out)["runtimes"]}
    assert "its driver is not loaded" in listed["unmade"]["reason"]
    assert run(["runtimes"]) == 0
    assert "Repair or uninstall that package\n" in capsys.readouterr().out, "nothing to install is proposed"
    assert find_runtime(Path("any.onnx")).name == "onnxruntime"


def test_a_reader_that_cannot_be_loaded_is_told_only_where_no_other_takes_the_file(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").touch()
    (tmp_path / "net.xyz").touch()
    assert find_source(tmp_path / "net.onnx").name == "onnx"
    with pytest.raises(SourceError, match="source 'broken' of the package 'edgekit-test-plugin'"):
        find_source(tmp_path / "net.xyz")


def test_a_compiler_of_another_package_compiles(
    tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from importlib import resources

    monkeypatch.setenv("PYTHONPATH", str(installed), prepend=":")
    model = tmp_path / "pair.onnx"
    model.write_bytes((resources.files("edgekit.testing") / "models" / "pair.onnx").read_bytes())
    assert run(["compile", str(model), "--with", "passthrough", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["compiled"]["accelerator"] == "nothing"
    assert (tmp_path / "pair.same.onnx").read_bytes() == model.read_bytes()
