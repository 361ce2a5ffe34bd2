"""What needs no tensorflow: recognizing models, and refusing what is none."""

from __future__ import annotations

import pytest

from edgekit.errors import MissingPackageError, SourceError
from edgekit.protocols import ReadOptions
from edgekit_converters.sources.tensorflow import source

SOURCE = source.TensorflowSource()


def saved_model(folder):
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    return folder


def test_folders_with_a_saved_model_and_graph_files_are_recognized(tmp_path):
    assert SOURCE.matches(saved_model(tmp_path / "model"))
    assert SOURCE.matches(tmp_path / "frozen.pb")
    assert not SOURCE.matches(tmp_path)
    assert not SOURCE.matches(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("name", "words"), [("none", "there is no model"), ("folder", "without saved_model.pb"), ("empty.pb", "is empty")]
)
def test_what_is_no_model_is_named(name, words, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.pb").touch()
    with pytest.raises(SourceError, match=words):
        SOURCE.read(tmp_path / name, ReadOptions())


@pytest.mark.parametrize("missing", ["tensorflow", "tf2onnx"])
def test_a_missing_package_names_the_extra(missing, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(MissingPackageError, match=rf"{missing}.*edgekit-ml\[tensorflow\]"):
        SOURCE.read(saved_model(tmp_path / "model"), ReadOptions())


def test_without_tensorflow_there_is_no_reference(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "find_spec", lambda name: None)
    assert SOURCE.reference(saved_model(tmp_path / "model"), ReadOptions()) is None
