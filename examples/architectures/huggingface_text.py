"""A small text network as Hugging Face saves it: a folder, converted by its name.

``python examples/architectures/huggingface_text.py FOLDER`` writes an untrained BERT with token numbers, and prints the
command that converts it. Any folder of ``save_pretrained`` or downloaded repository takes its place; tokens come from its
tokenizer then.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from digit_samples import convert_command, save_samples
from transformers import BertConfig, BertForSequenceClassification

TOKENS = 24


def main(folder: Path) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = BertConfig(vocab_size=200, max_position_embeddings=TOKENS, num_labels=2, **sizes)
    BertForSequenceClassification(config).save_pretrained(folder / "text")
    drawn = np.random.default_rng(0)
    lengths = drawn.integers(6, TOKENS + 1, (100, 1))
    mask = (np.arange(TOKENS) < lengths).astype(np.int64)
    tokens = drawn.integers(5, 200, mask.shape) * mask
    save_samples(folder / "tokens.npz", input_ids=tokens, attention_mask=mask, token_type_ids=np.zeros_like(mask))
    print(convert_command(folder / "text", folder / "tokens.npz", "--input-shape", f"1,{TOKENS}"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
