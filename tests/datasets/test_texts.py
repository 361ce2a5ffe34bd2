"""Texts become what the model's tokenizer makes of them, cut and padded to the network's length."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

tokenizers = pytest.importorskip("tokenizers")

from edgekit.artifact import TensorSpec, sha256_of  # noqa: E402
from edgekit.datasets import open_dataset, tokenizer_of  # noqa: E402
from edgekit.errors import DatasetError  # noqa: E402

WORDS = {"[PAD]": 0, "[UNK]": 1, "good": 2, "bad": 3, "film": 4, "why": 5}
INPUTS = tuple(TensorSpec(name, "int64", ("batch", 4)) for name in ("input_ids", "attention_mask", "token_type_ids"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a tokenizer of whole words, which says nothing of padding."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="$A", pair="$A $B:1", special_tokens=[])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": "[PAD]"}}))
    return tmp_path


def batch_of(model: Path, name: str, text: str, inputs=INPUTS, **options):
    path = model / name
    path.write_text(text, "utf-8")
    dataset = open_dataset(str(path), inputs, tokenizer=tokenizer_of(model), **options)
    return next(dataset.batches(8)), dataset


def test_lines_are_tokenized_padded_and_cut(model):
    batch, dataset = batch_of(model, "lines.txt", "good film\n\nbad bad bad film why\n")
    assert len(dataset) == 2
    assert batch.feeds["input_ids"].tolist() == [[2, 4, 0, 0], [3, 3, 3, 4]]
    assert batch.feeds["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch.labels is None
    assert dataset.notes == ("the texts of lines.txt became 4 tokens each, by tokenizer.json",)


def test_a_table_of_texts_has_labels(model):
    batch, _ = batch_of(model, "reviews.csv", 'text,label\n"good, film",fine\nbad,poor\n')
    assert batch.feeds["input_ids"][:, 0].tolist() == [2, 3]
    assert batch.labels.tolist() == [0, 1]


def test_two_columns_are_a_pair(model):
    batch, _ = batch_of(model, "questions.csv", "question,context\nwhy,good film\n")
    assert batch.feeds["input_ids"].tolist() == [[5, 2, 4, 0]]
    assert batch.feeds["token_type_ids"].tolist() == [[0, 1, 1, 0]]


def test_a_table_of_tokens_is_read_as_numbers(model):
    header = ",".join(f"input_ids[{n}]" for n in range(4))
    batch, _ = batch_of(model, "tokens.csv", f"{header}\n2,4,0,0\n", INPUTS[:1])
    assert batch.feeds["input_ids"].tolist() == [[2, 4, 0, 0]]


def test_any_length_pads_to_the_longest(model):
    batch, _ = batch_of(
        model, "lines.txt", "good\nbad film\n", (TensorSpec("input_ids", "int32", ("batch", "tokens")),)
    )
    assert batch.feeds["input_ids"].dtype == np.int32
    assert batch.feeds["input_ids"].tolist() == [[2, 0], [3, 4]]


def test_a_file_that_was_converted_finds_the_tokenizer_beside_it(model):
    kept = model / "model.companions"
    kept.mkdir()
    (model / "tokenizer.json").rename(kept / "tokenizer.json")
    path = model / "model.int8.onnx"
    path.write_bytes(b"weights")
    assert tokenizer_of(path) is None
    manifest = {
        "schema": "edgekit.manifest/1",
        "file": path.name,
        "sha256": sha256_of(path),
        "size_bytes": 7,
        "format": "onnx",
        "precision": "int8",
        "inputs": [],
        "outputs": [],
        "parameters": 1,
        "companions": {"model.companions/tokenizer.json": ""},
    }
    path.with_name("model.int8.onnx.json").write_text(json.dumps(manifest))
    assert tokenizer_of(path) == kept / "tokenizer.json"


@pytest.mark.parametrize(
    ("name", "text", "inputs", "options", "message"),
    [
        ("lines.txt", "good\n", (*INPUTS, TensorSpec("pixels", "float32", (1, 3))), {}, "also takes pixels"),
        ("table.csv", "a,b,c\nx,y,z\n", INPUTS, {}, "3 columns beside its labels"),
        ("lines.txt", "good\n", INPUTS, {"labels": "column:y"}, "no labels"),
    ],
)
def test_what_can_not_become_tokens_is_refused(model, name, text, inputs, options, message):
    with pytest.raises(DatasetError, match=message):
        batch_of(model, name, text, inputs, **options)


def test_texts_for_a_model_without_a_tokenizer_are_refused(tmp_path):
    (tmp_path / "lines.txt").write_text("good\n")
    with pytest.raises(DatasetError, match="brings no tokenizer"):
        open_dataset(str(tmp_path / "lines.txt"), INPUTS)


def test_a_damaged_tokenizer_is_told(model):
    (model / "tokenizer.json").write_text("{}")
    with pytest.raises(DatasetError, match="no tokenizer that"):
        batch_of(model, "lines.txt", "good\n")
