"""ONNX files become hubs; what can't be read is refused with what was found and what helps."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import EdgekitError, SourceError, UnsupportedLayerError, UntrustedSourceError, UsageError
from edgekit.protocols import ReadOptions
from edgekit_converters.hub.model import IR_VERSION, OPSET
from edgekit_converters.hub.normalize import normalize
from edgekit_converters.hub.run import hub_session
from edgekit_converters.sources.onnx import OnnxSource

FLOAT = TensorProto.FLOAT


def model(nodes, constants=(), opset=21, inputs=(("x", FLOAT, ["batch", 4]),), outputs=(("y", FLOAT, None),), **more):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*spec) for spec in inputs],
        [helper.make_tensor_value_info(*spec) for spec in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in dict(constants).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, **more)


def relu(name="y"):
    return helper.make_node("Relu", ["x"], [name])


@pytest.fixture
def read(tmp_path):
    """Read a ModelProto, or bytes, from a file."""

    def reader(content, **options):
        path = tmp_path / "net.onnx"
        path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
        return OnnxSource().read(path, ReadOptions(**options))

    return reader


def test_names_order_and_symbols_are_kept(read):
    nodes = [helper.make_node("Add", ["b:0", "a"], ["sum/out"]), helper.make_node("Relu", ["sum/out"], ["other"])]
    hub = read(
        model(
            nodes,
            inputs=[("b:0", FLOAT, ["N", 3, "T"]), ("a", FLOAT, ["N", 3, 1])],
            outputs=[("other", FLOAT, None), ("sum/out", FLOAT, None)],
        )
    )
    assert [(spec.name, spec.shape) for spec in hub.inputs] == [("b:0", ("N", 3, "T")), ("a", ("N", 3, 1))]
    assert [(spec.name, spec.shape) for spec in hub.outputs] == [("other", ("N", 3, "T")), ("sum/out", ("N", 3, "T"))]
    assert hub.model.ir_version == IR_VERSION
    assert hub.model.graph.opset_imports == {"": OPSET}


def test_an_initializer_that_is_also_an_input_is_none(read):
    nodes = [helper.make_node("Mul", ["x", "w"], ["y"])]
    inputs = [("x", FLOAT, ["batch", 4]), ("w", FLOAT, [4])]
    assert [spec.name for spec in read(model(nodes, {"w": np.ones(4, np.float32)}, inputs=inputs)).inputs] == ["x"]


def test_input_shapes_are_fixed_on_request(read):
    hub = read(model([relu()]), input_shapes={"": (2, 4)})
    assert hub.inputs[0].shape == hub.outputs[0].shape == (2, 4)
    with pytest.raises(UsageError, match="contradicts"):
        read(model([relu()]), input_shapes={"x": (2, 5)})


@pytest.mark.parametrize(("dtype", "proto"), [("float16", TensorProto.FLOAT16), ("float64", TensorProto.DOUBLE)])
def test_other_float_types_become_float32_and_that_is_noted(read, tmp_path, dtype, proto):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    constants = {"w": np.eye(4, dtype=dtype)}
    hub = read(model(nodes, constants, inputs=[("x", proto, ["batch", 4])], outputs=[("y", proto, None)]))
    assert hub.inputs[0].dtype == hub.outputs[0].dtype == "float32"
    assert "float32" in hub.notes[0]
    reference = OnnxSource().reference(tmp_path / "net.onnx", ReadOptions())
    result = reference.run({"x": np.ones((1, 4), np.float32)})["y"]
    assert result.dtype == np.float32


def test_a_model_that_is_quantized_already_is_noted(read):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    hub = read(model(nodes, {"s": np.float32(0.1), "z": np.int8(3)}))
    assert "quantized already" in hub.notes[0]
    assert len(normalize(hub).model.graph) == 2


def test_functions_of_the_model_are_inlined(read):
    body = [helper.make_node("Relu", ["a"], ["t"]), helper.make_node("Add", ["t", "a"], ["b"])]
    function = helper.make_function("own", "twice", ["a"], ["b"], body, [helper.make_opsetid("", 18)])
    call = [
        helper.make_node("twice", ["x"], ["h"], domain="own"),
        helper.make_node("twice", ["h"], ["y"], domain="own"),
    ]
    proto = model(call, functions=[function])
    proto.opset_import.append(helper.make_opsetid("own", 1))
    hub = read(proto)
    assert [node.op_type for node in hub.model.graph] == ["Relu", "Add", "Relu", "Add"]
    result = hub_session(hub).run({"x": np.float32([[1, -1, 2, 0]])})["y"]
    np.testing.assert_array_equal(result, [[4, -1, 8, 0]])


@pytest.mark.parametrize("opset", [22, 23, 24])
def test_newer_opsets_are_read(read, opset):
    hub = read(model([relu()], opset=opset))
    assert hub.model.graph.opset_imports == {"": OPSET}


def test_an_operator_newer_than_the_project_is_written_with_older_ones(read):
    nodes = [helper.make_node("RMSNormalization", ["x", "w"], ["y"], epsilon=1e-3)]
    hub = read(model(nodes, {"w": np.float32([1, 2, 3, 4])}, opset=23))
    x = np.float32([[1, -2, 3, 0.5]])
    expected = x / np.sqrt((x**2).mean() + 1e-3) * [1, 2, 3, 4]
    np.testing.assert_allclose(hub_session(normalize(hub)).run({"x": x})["y"], expected, rtol=1e-5)


class TestDamaged:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is empty"),
            (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
            (b"<!DOCTYPE html>", "a web page"),
            (b"\x1c\x00\x00\x00TFL3\x00", "a TFLite file"),
            (b"\x89HDF\r\n", "an HDF5 file"),
            (b"hello, I am no model", "damaged or not an ONNX model"),
            (onnx.ModelProto(ir_version=8).SerializeToString(), "it has no graph"),
        ],
    )
    def test_other_files_are_recognized(self, read, content, message):
        with pytest.raises(SourceError, match=message):
            read(content)

    def test_every_truncation_is_one_clear_error(self, read):
        content = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": np.eye(4, dtype=np.float32)})
        content = content.SerializeToString()
        for length in range(1, len(content), 7):
            with pytest.raises(SourceError):
                read(content[:length])

    def test_flipped_bytes_never_give_anything_but_a_clear_error(self, read):
        nodes = [
            helper.make_node("Gemm", ["x", "w"], ["h"], transB=1, name="dense"),
            helper.make_node("Clip", ["h", "low"], ["y"], name="clip"),
        ]
        content = model(nodes, {"w": np.eye(4, dtype=np.float32), "low": np.float32(0)}).SerializeToString()
        random = np.random.default_rng(0)
        refused = 0
        for _ in range(150):
            damaged = bytearray(content)
            damaged[random.integers(len(content))] = random.integers(256)
            try:
                normalize(read(bytes(damaged)))
            except EdgekitError:
                refused += 1
        assert 0 < refused < 150, "some bytes matter, and some do not"

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(SourceError, match=r"no model file .*nothing\.onnx"):
            OnnxSource().read(tmp_path / "nothing.onnx", ReadOptions())
        with pytest.raises(SourceError, match="is not a file"):
            OnnxSource().read(tmp_path, ReadOptions())

    def test_a_tensor_with_too_few_bytes(self, read):
        proto = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": np.eye(4, dtype=np.float32)})
        proto.graph.initializer[0].dims[0] = 1 << 40
        with pytest.raises(SourceError, match=r"'w' of shape \[1099511627776, 4\] should have"):
            read(proto)

    def test_a_value_that_nothing_makes(self, read):
        with pytest.raises(SourceError, match="reads 'lost', which nothing makes"):
            read(model([helper.make_node("Add", ["x", "lost"], ["y"])]))
        with pytest.raises(SourceError, match="nothing makes the output 'z'"):
            read(model([relu()], outputs=[("z", FLOAT, None)]))

    def test_a_missing_opset_and_a_model_without_outputs(self, read):
        proto = model([relu()])
        del proto.opset_import[:]
        with pytest.raises(SourceError, match="which opset"):
            read(proto)
        proto = model([relu()])
        del proto.graph.output[:]
        proto.training_info.add()
        with pytest.raises(SourceError, match="a training-only model"):
            read(proto)

    def test_an_old_opset(self, read):
        with pytest.raises(SourceError, match="has opset 5; edgekit reads opset 7"):
            read(model([relu()], opset=5))

    def test_an_old_opset_whose_operators_are_the_same(self, read):
        hub = normalize(read(model([relu()], opset=6)))
        assert hub.model.graph.opset_imports[""] == OPSET
        assert [node.op_type for node in hub.model.graph] == ["Relu"]

    def test_an_unknown_operator_is_refused_by_name(self, read):
        with pytest.raises(UnsupportedLayerError, match=r"uses Reluu.*mean Relu\?"):
            read(model([helper.make_node("Reluu", ["x"], ["y"])]))
        proto = model([helper.make_node("FFT", ["x"], ["y"], domain="acme")])
        proto.opset_import.append(helper.make_opsetid("acme", 1))
        with pytest.raises(UnsupportedLayerError, match=r"acme\.FFT"):
            read(proto)


class TestExternalData:
    @pytest.fixture
    def saved(self, tmp_path):
        """A model whose weight lies in a file beside it; returns the path and the tensor's entry."""
        weight = np.arange(16, dtype=np.float32).reshape(4, 4)
        proto = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": weight})
        path = tmp_path / "models" / "net.onnx"
        path.parent.mkdir()
        onnx.save(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
        return path

    def change(self, path, **entries):
        proto = onnx.load(path, load_external_data=False)
        tensor = proto.graph.initializer[0]
        for name, value in entries.items():
            kept = [entry for entry in tensor.external_data if entry.key != name]
            kept.append(onnx.StringStringEntryProto(key=name, value=value))
            del tensor.external_data[:]
            tensor.external_data.extend(kept)
        path.write_bytes(proto.SerializeToString())

    def test_it_is_read_from_the_models_folder(self, saved):
        hub = OnnxSource().read(saved, ReadOptions())
        result = hub_session(hub).run({"x": np.eye(4, dtype=np.float32)})["y"]
        np.testing.assert_array_equal(result, np.arange(16).reshape(4, 4))

    @pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "inner/../../secret.bin"])
    def test_it_may_not_leave_the_folder(self, saved, location):
        (saved.parent.parent / "secret.bin").write_bytes(bytes(64))
        self.change(saved, location=location)
        with pytest.raises(UntrustedSourceError, match="leaves the model's folder"):
            OnnxSource().read(saved, ReadOptions())

    def test_it_may_not_be_a_link_that_leads_out(self, saved):
        secret = saved.parent.parent / "secret.bin"
        secret.write_bytes(bytes(64))
        (saved.parent / "weights.bin").unlink()
        (saved.parent / "weights.bin").symlink_to(secret)
        with pytest.raises(UntrustedSourceError, match="a link that leads out"):
            OnnxSource().read(saved, ReadOptions())

    def test_it_may_not_be_a_hard_link(self, saved):
        os.link(saved.parent / "weights.bin", saved.parent.parent / "other.bin")
        with pytest.raises(UntrustedSourceError, match="is refused"):
            OnnxSource().read(saved, ReadOptions())

    def test_missing_and_short_files_are_named(self, saved):
        (saved.parent / "weights.bin").write_bytes(bytes(60))
        with pytest.raises(SourceError, match=r"should give 64 bytes .* but has 60"):
            OnnxSource().read(saved, ReadOptions())
        (saved.parent / "weights.bin").unlink()
        with pytest.raises(SourceError, match=r"'weights.bin', which is missing"):
            OnnxSource().read(saved, ReadOptions())

    def test_a_negative_offset_is_refused(self, saved):
        self.change(saved, offset="-8")
        with pytest.raises(SourceError, match="the offset of the external data of 'w' is '-8'"):
            OnnxSource().read(saved, ReadOptions())

    @pytest.mark.parametrize("entries", [{"offset": "32"}, {"length": "640000000000"}])
    def test_sizes_are_checked_against_the_file(self, saved, entries):
        self.change(saved, **entries)
        with pytest.raises(SourceError, match="should give 64 bytes"):
            OnnxSource().read(saved, ReadOptions())
