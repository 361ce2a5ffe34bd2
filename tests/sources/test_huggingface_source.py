"""Small networks of each kind, saved by transformers and read back."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.pytorch, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from edgekit.errors import SourceError, UsageError  # noqa: E402
from edgekit.protocols import ReadOptions, Silent  # noqa: E402
from edgekit_converters.hub.normalize import normalize  # noqa: E402
from edgekit_converters.hub.run import hub_session  # noqa: E402
from edgekit_converters.sources.huggingface.folder import inspect_folder  # noqa: E402
from edgekit_converters.sources.huggingface.network import export, open_reference  # noqa: E402
from edgekit_converters.sources.huggingface.requests import FolderExport, FolderRequest  # noqa: E402
from edgekit_converters.sources.onnx import OnnxSource  # noqa: E402

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
BERT = transformers.BertConfig(vocab_size=50, max_position_embeddings=24, num_labels=2, **SMALL)
VIT = transformers.ViTConfig(image_size=16, patch_size=8, num_labels=3, **SMALL)
GPT = transformers.GPT2Config(vocab_size=50, n_positions=24, n_embd=32, n_layer=2, n_head=4)
SPECTROGRAM = transformers.ASTConfig(max_length=32, num_mel_bins=16, num_labels=3, **SMALL)
NETWORKS = {
    "features": (transformers.BertModel, BERT, ("last_hidden_state", "pooler_output")),
    "text classification": (transformers.BertForSequenceClassification, BERT, ("logits",)),
    "token classification": (transformers.BertForTokenClassification, BERT, ("logits",)),
    "question answering": (transformers.BertForQuestionAnswering, BERT, ("start_logits", "end_logits")),
    "picture classification": (transformers.ViTForImageClassification, VIT, ("logits",)),
    "causal decoder": (transformers.GPT2LMHeadModel, GPT, ("logits",)),
    "audio classification": (transformers.ASTForAudioClassification, SPECTROGRAM, ("logits",)),
}


def saved(name, folder):
    torch.manual_seed(0)
    kind, config, _ = NETWORKS[name]
    kind(config).save_pretrained(folder)
    return folder


def read(path, **shapes):
    """What `HuggingfaceSource.read` does, but in this process: a child of its own takes seconds to start."""
    request = FolderRequest(inspect_folder(path), ReadOptions(input_shapes=shapes))
    with tempfile.TemporaryDirectory() as folder:
        onnx_path = Path(folder, "model.onnx")
        notes = export(FolderExport(request, onnx_path), Silent())
        hub = OnnxSource().read(onnx_path, ReadOptions())
    return normalize(hub), open_reference(request, Silent()), notes


def assert_equal(hub, session, feeds):
    expected, found = session.run(feeds), hub_session(hub).run(feeds)
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, atol=2e-5 * max(1.0, np.abs(array).max()))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_head_computes_as_in_transformers(name, tmp_path):
    hub, session, _ = read(saved(name, tmp_path))
    assert tuple(spec.name for spec in hub.outputs) == NETWORKS[name][2]
    assert all(spec.shape[0] == "batch" for spec in hub.inputs)
    random = np.random.default_rng(3)
    feeds = {}
    for spec in hub.inputs:
        shape = (3, *spec.shape[1:])
        feeds[spec.name] = (
            random.standard_normal(shape).astype(np.float32)
            if spec.dtype == "float32"
            else random.integers(0, 2 if spec.name == "token_type_ids" else 50, shape)
        )
    if "attention_mask" in feeds:
        feeds["attention_mask"] = (np.arange(feeds["input_ids"].shape[1]) < [[5], [9], [24]]).astype(np.int64)
    assert_equal(hub, session, feeds)


def test_length_and_inputs_are_the_users_choice(tmp_path):
    saved("features", tmp_path)
    hub, _, notes = read(tmp_path, **{"": (1, 7)})
    assert [spec.shape for spec in hub.inputs] == [("batch", 7)] * 3
    assert not any("tokens" in note for note in notes)
    hub, _, _ = read(tmp_path, input_ids=(1, 7), attention_mask=(1, 7))
    assert [spec.name for spec in hub.inputs] == ["input_ids", "attention_mask"]


def test_a_length_that_was_not_asked_for_is_told(tmp_path):
    hub, _, notes = read(saved("features", tmp_path))
    assert hub.inputs[0].shape == ("batch", 24)
    assert any("24 tokens" in note for note in notes)


def test_inputs_that_do_not_exist_are_told(tmp_path):
    saved("features", tmp_path)
    with pytest.raises(UsageError, match="'words'"):
        read(tmp_path, words=(1, 7))
    with pytest.raises(UsageError, match="'input_ids' has no shape"):
        read(tmp_path, attention_mask=(1, 7))


def test_a_sentence_embedding_leaves_out_padding_and_has_length_one(tmp_path):
    saved("features", tmp_path)
    kinds = ("Transformer", "Pooling", "Normalize")
    modules = [{"path": "" if kind == "Transformer" else kind, "type": f"x.{kind}"} for kind in kinds]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "Pooling").mkdir()
    (tmp_path / "Pooling/config.json").write_text('{"pooling_mode_mean_tokens": true}')
    hub, _, _ = read(tmp_path, input_ids=(1, 6), attention_mask=(1, 6))
    session = hub_session(hub)
    mask = np.array([[1, 1, 1, 0, 0, 0]])
    one, other = (
        session.run({"input_ids": np.array([[4, 5, 6, *rest]]), "attention_mask": mask})["sentence_embedding"]
        for rest in ((0, 0, 0), (7, 8, 9))
    )
    np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(one), 1.0, atol=1e-5)


def test_an_encoder_with_a_decoder_is_refused(tmp_path):
    config = transformers.T5Config(vocab_size=50, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    with pytest.raises(SourceError, match="encoder with a decoder"):
        read(tmp_path)


def test_an_architecture_that_transformers_lacks_is_told(tmp_path):
    saved("features", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"architectures": ["MadeUpModel"]}))
    with pytest.raises(SourceError, match="MadeUpModel"):
        read(tmp_path)
