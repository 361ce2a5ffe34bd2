"""Every head of a Hugging Face network as files of every precision, in both formats, against transformers."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = [pytest.mark.pytorch, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("ai_edge_litert.interpreter")

from test_huggingface_source import NETWORKS, read, saved  # noqa: E402

from edgekit import registry  # noqa: E402
from edgekit.datasets import open_dataset  # noqa: E402
from edgekit.inference import load  # noqa: E402
from edgekit.protocols import Silent  # noqa: E402
from edgekit.recipe import Precision, Recipe  # noqa: E402
from edgekit.target import load_target  # noqa: E402
from edgekit_converters.quantize.quantize import quantize  # noqa: E402

SMALLEST_DB = {
    Precision.FLOAT32: 110.0,
    Precision.FLOAT16: 55.0,
    Precision.INT8_DYNAMIC: 25.0,
    Precision.INT8: 25.0,
}
TARGET = load_target("cpu")


def samples(hub, count):
    random = np.random.default_rng(3)
    feeds = {}
    for spec in hub.inputs:
        shape = (count, *spec.shape[1:])
        if spec.name == "attention_mask":
            feeds[spec.name] = (np.arange(shape[1]) < random.integers(shape[1] // 3, shape[1] + 1, (count, 1))).astype(
                int
            )
        elif spec.dtype == "float32":
            feeds[spec.name] = random.standard_normal(shape).astype(np.float32)
        else:
            feeds[spec.name] = random.integers(0, 2 if spec.name == "token_type_ids" else 50, shape)
    return feeds


def answers(path, feeds):
    with load(path) as model:
        return model.run({spec.name: feeds[spec.name].astype(spec.dtype) for spec in model.inputs})


def decibels(found, wanted, mask):
    """Over real tokens alone, where the output has a row a token."""
    if mask is not None and wanted.shape[:2] == mask.shape:
        found, wanted = found[mask != 0], wanted[mask != 0]
    return 10 * np.log10(np.square(wanted).sum() / max(float(np.square(found - wanted).sum()), 1e-30))


@pytest.mark.parametrize("name", NETWORKS)
def test_files_answer_as_transformers_does(name, tmp_path):
    hub, session, _ = read(saved(name, tmp_path))
    np.savez(tmp_path / "samples.npz", **samples(hub, 32))
    feeds = {key: array[:6] for key, array in samples(hub, 32).items()}
    wanted = session.run(feeds)
    for precision, smallest in SMALLEST_DB.items():
        recipe = Recipe(precision)
        dataset = open_dataset(str(tmp_path / "samples.npz"), hub.inputs) if precision.calibrated else None
        made = quantize(hub, recipe, TARGET, dataset, Silent())
        for file_format in ("onnx", "tflite"):
            path = tmp_path / f"{precision.value}.{file_format}"
            registry.stage("write")(file_format, made.hub, made.plan, path, recipe, TARGET, {})
            found = answers(path, feeds)
            for key, array in wanted.items():
                reached = decibels(found[key], array, feeds.get("attention_mask"))
                assert reached > smallest, (precision, file_format, key, reached)
