"""Examples of frameworks, each written in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

from edgekit.protocols import Progress

DIGITS = Path(__file__).parents[2] / "examples" / "digits" / "digits_cnn.keras"


def save_digits(folder: str, progress: Progress) -> None:
    """The digits network as a SavedModel."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras

    keras.models.load_model(DIGITS).export(folder, verbose=False)


def export_network(path: str, progress: Progress) -> None:
    """A small PyTorch network as an exported program."""
    import torch

    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 5)
    ).eval()
    torch.export.save(torch.export.export(network, (torch.zeros(1, 3, 8, 8),)), path)


def save_transformer(folder: str, progress: Progress) -> None:
    """A small vision Transformer."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.ViTConfig(
        image_size=16,
        patch_size=8,
        num_labels=3,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=64,
    )
    transformers.ViTForImageClassification(config).save_pretrained(folder)
