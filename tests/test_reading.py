"""Which reader takes a file, and what its outputs are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import MissingPackageError, SourceError, UnknownNameError
from edgekit.protocols import ReadOptions, Session
from edgekit.reading import find_source, open_reference
from edgekit_converters.hub.build import GraphBuilder
from edgekit_converters.hub.run import hub_session


@pytest.mark.parametrize(
    ("name", "content", "source"),
    [
        ("m.onnx", b"", "onnx"),
        ("m.keras", b"", "keras"),
        ("m.h5", b"", "keras"),
        ("m.pt2", b"", "pytorch"),
        ("m.pb", b"", "tensorflow"),
    ],
)
def test_the_suffix_tells_the_reader(tmp_path: Path, name: str, content: bytes, source: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert find_source(tmp_path / name).name == source


def test_a_folder_with_a_saved_model_goes_to_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert find_source(tmp_path).name == "tensorflow"


def test_what_no_reader_takes_is_refused_with_the_list_of_what_they_take(tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text("no model")
    with pytest.raises(SourceError, match=r"not a model that edgekit reads \(\.onnx, \.keras"):
        find_source(tmp_path / "m.txt")
    with pytest.raises(SourceError, match="there is no model at"):
        find_source(tmp_path / "none.onnx")
    with pytest.raises(UnknownNameError, match="Did you mean 'keras'"):
        find_source(tmp_path / "m.txt", "kers")


def test_a_written_file_is_told_from_a_model_to_convert(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"")
    with pytest.raises(SourceError, match="give the model that it was made from"):
        find_source(tmp_path / "m.tflite")


class Framework:
    """A source whose own framework gives the session, nothing, or an error."""

    name = "framework"

    def __init__(self, found: Session | Exception | None) -> None:
        self._found = found

    def reference(self, path: Path, options: ReadOptions) -> Session | None:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found

    def matches(self, path: Path) -> bool:
        return True

    def read(self, path: Path, options: ReadOptions) -> Any:
        raise NotImplementedError


def doubler() -> Session:
    build = GraphBuilder()
    build.output(build.op("Mul", build.input("x", "float32", ("n", 2)), build.constant(np.float32(2))), "y")
    return hub_session(build.build("test"))


def test_the_own_framework_is_the_reference() -> None:
    session = doubler()
    found = open_reference(Framework(session), Path("m"), ReadOptions(), doubler)
    assert (found.session, found.original) == (session, True)
    assert found.description == "the original model in framework"


@pytest.mark.parametrize("answer", [None, MissingPackageError("torch", "pytorch", "running")])
def test_where_it_is_absent_the_float_model_is_and_says_so(answer: Exception | None) -> None:
    fallback = doubler()
    found = open_reference(Framework(answer), Path("m"), ReadOptions(), lambda: fallback)
    assert (found.session, found.original) == (fallback, False)
    assert found.description == "the float model as edgekit read it, in ONNX Runtime"
