"""What needs no torch: telling files apart, and refusing them."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import pickletools
import zipfile

import pytest

from edgekit.errors import MissingPackageError, SourceError, UntrustedSourceError, UsageError
from edgekit.protocols import ReadOptions
from edgekit_converters.sources.pytorch import source
from edgekit_converters.sources.pytorch.archive import check_exported_program
from edgekit_converters.sources.pytorch.files import Content, inspect_file

SOURCE = source.PytorchSource()
PLAIN = collections.OrderedDict(epoch=3)
HOSTILE = {"weights": PLAIN, "hook": os.system}


def archive(path, parts):
    with zipfile.ZipFile(path, "w") as written:
        for name, content in parts.items():
            written.writestr(name, content)
    return path


def legacy(path, value, protocol=2):
    """As torch.save wrote before zip archives: four pickles, then raw storages."""
    with path.open("wb") as stream:
        for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, value):
            pickle.dump(part, stream, protocol)
        stream.write(b"raw storages \x93\x94")
    return path


def program(path, **changes):
    parts = {"target": "torch.ops.aten.add.Tensor", "expr_str": "2*s0 + 1", "ranges": {"s0": {}}, **changes}
    model = {
        "graph_module": {"graph": {"nodes": [{"target": parts["target"]}]}, "size": {"expr_str": parts["expr_str"]}},
        "range_constraints": parts["ranges"],
    }
    return archive(path, {"m/models/model.json": json.dumps(model), parts.get("name", "m/data/weights/weight_0"): b""})


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("kind", ["zip", "legacy"])
@pytest.mark.parametrize(("value", "content"), [(PLAIN, Content.WEIGHTS), (HOSTILE, Content.PICKLED_OBJECT)])
def test_a_pickle_that_would_call_code_is_told_from_weights(kind, value, content, protocol, tmp_path):
    if kind == "legacy":
        path = legacy(tmp_path / "model.pt", value, protocol if protocol == 2 else 2)
    else:
        path = archive(tmp_path / "model.pt", {"m/data.pkl": pickle.dumps(value, protocol), "m/version": "3"})
    file = inspect_file(path)
    assert file.content is content
    assert file.foreign == (() if content is Content.WEIGHTS else ("posix.system",))


def test_a_name_that_comes_out_of_the_memo_is_found():
    text = pickletools.optimize(pickle.dumps([("posix", "system"), os.system], 4))
    stream = io.BytesIO(text)
    from edgekit_converters.sources.pytorch.files import _globals

    assert list(_globals(stream)) == ["posix.system"]


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ({"m/code/__torch__.py": "", "m/data.pkl": b""}, Content.TORCHSCRIPT),
        ({"m/models/model.json": "{}"}, Content.EXPORTED_PROGRAM),
        ({"serialized_exported_program.json": "{}", "version": "8.8"}, Content.EXPORTED_PROGRAM),
    ],
)
def test_archives_are_told_apart_by_their_parts(parts, content, tmp_path):
    assert inspect_file(archive(tmp_path / "m.pt", parts)).content is content


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b"GIF89a", "starts with"), (b"PK\x03\x04 cut off", "damaged"), (b"\x80\x02X", "damaged")],
)
def test_what_is_no_pytorch_file_is_named(content, words, tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=words):
        SOURCE.read(path, ReadOptions())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match="there is no model file"):
        SOURCE.read(tmp_path / "none.pt", ReadOptions())


def test_an_archive_of_something_else_is_named(tmp_path):
    with pytest.raises(SourceError, match="none of PyTorch's"):
        inspect_file(archive(tmp_path / "m.pt", {"word/document.xml": ""}))


def test_a_damaged_part_of_an_archive_is_named(tmp_path):
    path = archive(tmp_path / "m.pt", {"m/code/x.py": "", "m/data/0": "weights weights"})
    path.write_bytes(path.read_bytes().replace(b"weights weights", b"weights wrights"))
    with pytest.raises(SourceError, match="checksum of its part 'm/data/0'"):
        inspect_file(path)


def test_suffix_and_first_bytes_decide_whose_file_it_is(tmp_path):
    for name, content, expected in [
        ("a.pt", b"?", True),
        ("a.bin", b"?", False),
        ("b.bin", b"PK\x03\x04", True),
        ("a.onnx", b"PK\x03\x04", False),
    ]:
        (tmp_path / name).write_bytes(content)
        assert SOURCE.matches(tmp_path / name) is expected
    assert not SOURCE.matches(tmp_path)


def test_weights_alone_ask_for_the_factory(tmp_path):
    path = archive(tmp_path / "weights.pt", {"m/data.pkl": pickle.dumps(PLAIN, 2)})
    with pytest.raises(UsageError, match="--factory module:callable"):
        SOURCE.read(path, ReadOptions())


def test_a_program_needs_no_factory(tmp_path):
    with pytest.raises(UsageError, match="needs no --factory"):
        SOURCE.read(program(tmp_path / "m.pt2"), ReadOptions(factory="a:b"))


def test_a_pickled_object_is_refused_with_what_it_would_call(tmp_path):
    path = archive(tmp_path / "model.pt", {"m/data.pkl": pickle.dumps(HOSTILE, 2)})
    with pytest.raises(UntrustedSourceError, match=r"execute code \(posix\.system\).*--trust-source"):
        SOURCE.read(path, ReadOptions())


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "torch.hub.load"},
        {"target": "torch.serialization.os.system"},
        {"target": "torch.ops.aten.add.__init__.__globals__"},
        {"target": "_operator.attrgetter"},
        {"target": "#extension"},
        {"expr_str": "__import__('os').system('true')"},
        {"expr_str": "s0.__class__"},
        {"expr_str": "Symbol('s0').name"},
        {"expr_str": "sympify('s0')"},
        {"ranges": {"().__class__": {}}},
        {"name": "m/data/constants/custom_obj_0"},
        {"name": "m/data/constants/opaque_obj_0"},
    ],
)
def test_an_exported_program_that_would_execute_code_is_refused(changes, tmp_path):
    with pytest.raises(UntrustedSourceError, match="would execute code"):
        check_exported_program(program(tmp_path / "m.pt2", **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"target": "torch.ops.aten.__and__.Tensor"},
        {"target": "torch.ops.higher_order.cond"},
        {"target": "_operator.getitem"},
        {"target": "torch.sym_max"},
        {"expr_str": "Mul(Integer(2), Symbol('s3', positive=True, integer=True))"},
        {"expr_str": "Max(1, s0//2) + FloorDiv(s1, 3)*1.5"},
    ],
)
def test_operators_and_arithmetic_are_accepted(changes, tmp_path):
    check_exported_program(program(tmp_path / "m.pt2", **changes))


def test_without_torch_the_extra_is_named_and_there_is_no_reference(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "find_spec", lambda name: None)
    path = program(tmp_path / "m.pt2")
    with pytest.raises(MissingPackageError, match=r"edgekit-ml\[pytorch\]"):
        SOURCE.read(path, ReadOptions())
    assert SOURCE.reference(path, ReadOptions()) is None
