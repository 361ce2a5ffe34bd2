"""What is found out about a model folder without transformers."""

from __future__ import annotations

import json

import pytest

from edgekit.errors import SourceError, UntrustedSourceError, UsageError
from edgekit.protocols import ReadOptions
from edgekit_converters.sources.huggingface import HuggingfaceSource
from edgekit_converters.sources.huggingface.folder import Pooling, inspect_folder

BERT = {"model_type": "bert", "architectures": ["BertModel"]}
MODULES = [
    {"path": "", "type": "sentence_transformers.models.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return folder


@pytest.fixture
def bert(tmp_path):
    return write(tmp_path, {"config.json": BERT, "model.safetensors": ""})


def test_a_folder_with_configuration_and_weights_is_recognized(bert):
    assert HuggingfaceSource().matches(bert)


def test_other_folders_are_not_recognized(tmp_path):
    write(tmp_path, {"config.json": {"class_name": "Sequential"}, "model.safetensors": ""})
    assert not HuggingfaceSource().matches(tmp_path)
    assert not HuggingfaceSource().matches(tmp_path / "config.json")


def test_tokenizer_files_and_input_names_are_found(bert):
    write(
        bert, {"tokenizer.json": "{}", "tokenizer_config.json": {"model_input_names": ["input_ids"]}, "README.md": ""}
    )
    found = inspect_folder(bert)
    assert found.architecture == "BertModel"
    assert found.input_names == ("input_ids",)
    assert [path.name for path in found.companions] == ["config.json", "tokenizer.json", "tokenizer_config.json"]


def test_a_sentence_embedding_is_read_as_its_modules_say(bert):
    write(bert, {"modules.json": MODULES, "1_Pooling/config.json": {"pooling_mode_mean_tokens": True}})
    assert inspect_folder(bert).pooling == Pooling("mean", normalized=True)
    write(bert, {"modules.json": MODULES[:2], "1_Pooling/config.json": {"pooling_mode_cls_token": True}})
    assert inspect_folder(bert).pooling == Pooling("cls", normalized=False)


@pytest.mark.parametrize(
    "settings",
    [{}, {"pooling_mode_lasttoken": True}, {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}],
)
def test_a_pooling_that_is_not_known_is_left_out_with_a_note(bert, settings):
    write(bert, {"modules.json": MODULES, "1_Pooling/config.json": settings})
    found = inspect_folder(bert)
    assert found.pooling is None
    assert "the sentence embedding is left out" in found.notes[0]


def test_code_in_the_folder_is_refused(bert):
    write(bert, {"config.json": BERT | {"auto_map": {"AutoModel": "modeling_own.OwnModel"}}})
    with pytest.raises(UntrustedSourceError, match="modeling_own"):
        inspect_folder(bert)


def test_pickled_weights_are_refused(tmp_path):
    write(tmp_path, {"config.json": BERT, "pytorch_model.bin": ""})
    assert HuggingfaceSource().matches(tmp_path)
    with pytest.raises(SourceError, match="save_pretrained"):
        inspect_folder(tmp_path)


@pytest.mark.parametrize(
    ("config", "message"), [("{", "not JSON"), ('{"model_type": "bert"}', "names no architecture")]
)
def test_a_damaged_configuration_is_told(tmp_path, config, message):
    write(tmp_path, {"config.json": config, "model.safetensors": ""})
    with pytest.raises(SourceError, match=message):
        inspect_folder(tmp_path)


def test_a_folder_that_is_no_model_is_told(tmp_path):
    with pytest.raises(SourceError, match=r"no config\.json"):
        inspect_folder(tmp_path)


def test_a_factory_has_no_place(bert):
    with pytest.raises(UsageError, match="--factory"):
        HuggingfaceSource().read(bert, ReadOptions(factory="module:callable"))
