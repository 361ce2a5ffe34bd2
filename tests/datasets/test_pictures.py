"""Samples in folders of pictures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edgekit.artifact import TensorSpec
from edgekit.datasets import open_dataset
from edgekit.errors import DatasetError
from edgekit.recipe import Preprocess

Image = pytest.importorskip("PIL.Image")

RGB = TensorSpec("image", "float32", ("batch", 4, 6, 3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five 6x4 pictures of one colour each, in class folders; the red value is ten times the number."""
    for n, name in enumerate(
        ["cat/0003_a.png", "cat/0004_b.png", "dog/0001_c.png", "dog/0007_d.png", "dog/0009_e.png"]
    ):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 4), (10 * n, 100, 200)).save(path)
    (tmp_path / "pictures" / ".hidden.png").write_bytes(b"")
    (tmp_path / "pictures" / "readme.txt").write_text("hello")
    return tmp_path / "pictures"


def test_pixels_come_as_they_are_and_the_folder_is_the_label(folder: Path) -> None:
    dataset = open_dataset(str(folder), [RGB])
    batches = list(dataset.batches(2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert batches[0].feeds["image"].shape == (2, 4, 6, 3)
    assert batches[1].feeds["image"][1, 0, 0].tolist() == [30, 100, 200]
    assert np.concatenate([batch.labels for batch in batches if batch.labels is not None]).tolist() == [0, 0, 1, 1, 1]
    assert "0..255" in dataset.notes[0]


def test_the_layout_follows_the_input(folder: Path) -> None:
    nchw = TensorSpec("image", "float32", (1, 3, 4, 6))
    batch = next(open_dataset(str(folder), [nchw]).batches(1))
    assert batch.feeds["image"][0, :, 0, 0].tolist() == [0, 100, 200]


def test_preprocess_resizes_and_scales(folder: Path) -> None:
    nchw = TensorSpec("image", "float32", (1, 3, 8, 8))
    preprocess = Preprocess(resize=(8, 8), layout="NCHW", mean=(100.0,), scale=(50.0,))
    dataset = open_dataset(str(folder), [nchw], preprocess=preprocess, limit=1)
    assert next(dataset.batches(1)).feeds["image"][0, :, 3, 3].tolist() == [-2, 0, 2]
    assert dataset.notes == ()


def test_the_prefix_of_the_name_or_a_list_can_be_the_label(folder: Path, tmp_path: Path) -> None:
    batch = next(open_dataset(str(folder), [RGB], labels="prefix").batches(9))
    assert batch.labels is not None
    assert batch.labels.tolist() == [3, 4, 1, 7, 9]
    listed = tmp_path / "labels.csv"
    listed.write_text("cat/0003_a.png,sun\n0004_b.png,moon\n0001_c,sun\n0007_d.png,sun\n0009_e.png,moon\n")
    batch = next(open_dataset(str(folder), [RGB], labels=f"file:{listed}").batches(9))
    assert batch.labels is not None
    assert batch.labels.tolist() == [1, 0, 1, 1, 0]


@pytest.mark.parametrize(
    ("spec", "labels", "says"),
    [
        (TensorSpec("image", "float32", (1, 8, 8, 3)), None, "resized only on request"),
        (TensorSpec("image", "float32", (1, 10)), None, "which is no picture's"),
        (RGB, "column:y", "write folder, prefix, file:PATH.csv or none"),
        (RGB, "file:none.csv", "cannot read the labels"),
    ],
)
def test_what_does_not_fit_is_named(folder: Path, spec: TensorSpec, labels: str | None, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        open_dataset(str(folder), [spec], labels=labels)


def test_a_name_without_digits_has_no_prefix(folder: Path) -> None:
    (folder / "cat" / "0003_a.png").rename(folder / "cat" / "a.png")
    with pytest.raises(DatasetError, match=r"a\.png does not begin with the digits"):
        open_dataset(str(folder), [RGB], labels="prefix")


def test_a_file_missing_from_the_list_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("0004_b.png,1\n")
    with pytest.raises(DatasetError, match=r"no label for 0003_a\.png and 3 other files"):
        open_dataset(str(folder), [RGB], labels=f"file:{tmp_path / 'labels.csv'}")


def test_a_damaged_picture_is_named(folder: Path) -> None:
    (folder / "cat" / "0003_a.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(DatasetError, match="0003_a"):
        open_dataset(str(folder), [RGB])


def test_pictures_feed_one_input(folder: Path) -> None:
    with pytest.raises(DatasetError, match="feeds one input, but the model has 2"):
        open_dataset(str(folder), [RGB, TensorSpec("other", "float32", (1, 2))])


@pytest.mark.data
def test_imagenet_samples_have_their_class_in_their_name() -> None:
    data = os.environ.get("EDGEKIT_DATA")
    if not data:
        pytest.skip("EDGEKIT_DATA names no folder of real data")
    spec = TensorSpec("input", "float32", ("batch", 3, 224, 224))
    preprocess = Preprocess(layout="NCHW", mean=(127.0,), scale=(128.0,))
    dataset = open_dataset(str(Path(data) / "imagenet"), [spec], preprocess=preprocess, labels="prefix", offset=100)
    batch = next(dataset.batches(2))
    assert len(dataset) == 400
    assert batch.labels is not None
    assert batch.labels.tolist() == [200, 202]
    assert -1 <= batch.feeds["input"].min() < 0 < batch.feeds["input"].max() <= 1
