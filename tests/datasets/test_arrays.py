"""Samples in .npz and .npy files, and every way in which they may not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.artifact import Quantization, TensorSpec
from edgekit.datasets import open_dataset, require_varied
from edgekit.datasets.stored_array import StoredArray
from edgekit.errors import DatasetError

PICTURE = TensorSpec("image", "float32", ("batch", 4, 4, 3))
VECTOR = TensorSpec("vector", "float32", ("batch", 2))
TOKENS = TensorSpec("tokens", "int32", ("batch", 5))


def pictures(count: int = 10) -> NDArray[Any]:
    return np.random.default_rng(0).random((count, 4, 4, 3), dtype=np.float32)


def saved(folder: Path, *, compressed: bool = False, **arrays: NDArray[Any]) -> str:
    path = folder / "samples.npz"
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return str(path)


def everything(location: str, *inputs: TensorSpec, size: int = 3, **options: Any) -> dict[str, NDArray[Any]]:
    batches = list(open_dataset(location, inputs, **options).batches(size))
    return {spec.name: np.concatenate([batch.feeds[spec.name] for batch in batches]) for spec in inputs}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", ["x", "image"])
def test_the_only_input_is_found_by_its_name_or_x(tmp_path: Path, name: str, compressed: bool) -> None:
    location = saved(tmp_path, compressed=compressed, **{name: pictures()})
    np.testing.assert_array_equal(everything(location, PICTURE)["image"], pictures())


def test_uncompressed_arrays_stay_on_the_disk(tmp_path: Path) -> None:
    location = saved(tmp_path, x=np.asfortranarray(pictures()), y=np.arange(10))
    dataset = open_dataset(location, [PICTURE])
    assert isinstance(dataset._store._arrays["image"], StoredArray)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(everything(location, PICTURE)["image"], pictures())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux' /proc/self/status")
def test_what_was_read_does_not_stay_in_memory(tmp_path: Path) -> None:
    location = saved(tmp_path, x=np.zeros((64, 512, 1024), np.float32))
    code = f"""
from edgekit.artifact import TensorSpec
from edgekit.datasets import open_dataset
for batch in open_dataset({location!r}, [TensorSpec("image", "float32", ("n", 512, 1024))]).batches(1):
    batch.feeds["image"].sum()
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(peak)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(done.stdout) < Path(location).stat().st_size / 1024


def test_a_file_that_is_cut_while_it_is_read_is_named(tmp_path: Path) -> None:
    location = saved(tmp_path, x=pictures())
    dataset = open_dataset(location, [PICTURE])
    Path(location).write_bytes(b"")
    with pytest.raises(DatasetError, match=r"samples\.npz any more"):
        next(dataset.batches(1))


def test_a_dataset_can_be_read_again_and_again_in_batches(tmp_path: Path) -> None:
    dataset = open_dataset(saved(tmp_path, x=pictures(), y=np.arange(10), group=np.arange(10) % 2), [PICTURE])
    for _ in range(2):
        batches = list(dataset.batches(4))
        assert [len(batch) for batch in batches] == [4, 4, 2]
        np.testing.assert_array_equal(batches[1].labels, [4, 5, 6, 7])  # type: ignore[arg-type]
        np.testing.assert_array_equal(batches[2].groups, [0, 1])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("suffix", "options", "labels"),
    [
        ("[2:5]", {}, [2, 3, 4]),
        ("[:2]", {}, [0, 1]),
        ("[7:]", {}, [7, 8, 9]),
        ("", {"limit": 2, "offset": 3}, [3, 4]),
        ("", {"limit": 99}, list(range(10))),
        ("[2:8]", {"limit": 2, "offset": 1}, [3, 4]),
    ],
)
def test_slices_offset_and_limit(tmp_path: Path, suffix: str, options: dict[str, int], labels: list[int]) -> None:
    dataset = open_dataset(saved(tmp_path, x=pictures(), y=np.arange(10)) + suffix, [PICTURE], **options)
    assert len(dataset) == len(labels)
    assert [label for batch in dataset.batches(2) for label in batch.labels.tolist()] == labels  # type: ignore[union-attr]


def test_uint8_is_cast_without_scaling(tmp_path: Path) -> None:
    x = np.full((2, 4, 4, 3), 255, np.uint8)
    x[0] = 7
    cast = everything(saved(tmp_path, x=x), PICTURE)["image"]
    assert cast.dtype == np.float32
    assert (cast.min(), cast.max()) == (7.0, 255.0)


def test_an_integer_input_takes_any_whole_numbers_in_range(tmp_path: Path) -> None:
    tokens = np.arange(10, dtype=np.int64).reshape(2, 5)
    assert everything(saved(tmp_path, tokens=tokens), TOKENS)["tokens"].dtype == np.int32


def test_a_quantized_input_takes_real_values(tmp_path: Path) -> None:
    quantized = TensorSpec("image", "int8", (1, 4, 4, 3), Quantization(0.1, 0))
    assert everything(saved(tmp_path, x=pictures()), quantized)["image"].dtype == np.float32


def test_several_inputs_each_have_an_array(tmp_path: Path) -> None:
    found = everything(saved(tmp_path, image=pictures(), vector=np.ones((10, 2))), PICTURE, VECTOR)
    assert found["vector"].shape == (10, 2)


def test_npy_holds_the_only_input(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", pictures())
    np.testing.assert_array_equal(everything(str(tmp_path / "x.npy"), PICTURE)["image"], pictures())


def test_labels_can_be_another_array_or_file_or_none(tmp_path: Path) -> None:
    location = saved(tmp_path, x=pictures(), y=np.arange(10), speaker=np.arange(10)[::-1])
    np.save(tmp_path / "labels.npy", np.arange(10) * 2)
    for labels, expected in (
        ("array:speaker", [9, 8]),
        (f"file:{tmp_path / 'labels.npy'}", [0, 2]),
    ):
        batch = next(open_dataset(location, [PICTURE], labels=labels).batches(2))
        assert batch.labels is not None
        assert batch.labels.tolist() == expected
    assert next(open_dataset(location, [PICTURE], labels="none").batches(2)).labels is None


@pytest.mark.parametrize(
    ("arrays", "inputs", "says"),
    [
        ({"z": pictures()}, [PICTURE], "holds the arrays 'z'; the model's inputs are 'image' (or 'x')"),
        ({"image": pictures()}, [PICTURE, VECTOR], "the model's inputs are 'image', 'vector'."),
        ({"x": pictures(), "y": np.arange(9)}, [PICTURE], "different numbers of samples (image: 10, labels: 9)"),
        ({"x": pictures()[..., :2]}, [PICTURE], "have shape (4, 4, 2); the model takes (4, 4, 3)"),
        ({"x": pictures()[0, 0, :2]}, [PICTURE], "the model takes (4, 4, 3)"),
        ({"x": pictures().reshape(10, 48)}, [PICTURE], "write x.reshape(-1, 4, 4, 3)"),
        ({"x": pictures().transpose(0, 3, 1, 2)}, [PICTURE], "write x.transpose(0, 2, 3, 1)"),
        ({"x": np.ones((5, 4, 4))}, [TensorSpec("g", "float32", ("n", 4, 4, 1))], "write x[..., None]"),
        ({"x": np.ones((4, 4, 3))}, [TensorSpec("g", "float32", ("n", 4, 4, 3))], "the model takes (4, 4, 3)"),
        ({"x": pictures().astype(complex)}, [PICTURE], "are complex128; the model takes float32"),
        ({"x": np.full((2, 4, 4, 3), "a")}, [PICTURE], "are <U1; the model takes float32"),
        ({"x": np.full((2, 4, 4, 3), None)}, [PICTURE], "never unpickled"),
        ({"tokens": np.ones((2, 5))}, [TOKENS], "are float64; the model takes int32"),
        ({"tokens": np.full((2, 5), 2**40)}, [TOKENS], "beyond int32"),
        ({"x": np.float32(1)}, [PICTURE], "the first axis must count the samples"),
        ({"x": pictures(0)}, [PICTURE], "holds no samples"),
        ({"x": pictures(), "y": np.full(10, "cat")}, [PICTURE], "expected numbers"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_what_does_not_fit_is_refused_at_once(
    tmp_path: Path, arrays: dict[str, Any], inputs: list[TensorSpec], says: str, compressed: bool
) -> None:
    location = saved(tmp_path, compressed=compressed, **arrays)
    with pytest.raises(DatasetError) as caught:
        open_dataset(location, inputs)
    assert says in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_named(tmp_path: Path, value: float) -> None:
    x = pictures()
    x[7, 1, 2, 0] = value
    dataset = open_dataset(saved(tmp_path, x=x) + "[2:]", [PICTURE])
    with pytest.raises(DatasetError, match=rf"sample 7 of 'image' in .* holds {value} \(1 of its values"):
        list(dataset.batches(3))


def test_a_float64_beyond_float32_is_named_as_infinite(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"sample 0 of 'image' in .* holds inf"):
        open_dataset(saved(tmp_path, x=np.full((2, 4, 4, 3), 1e300)), [PICTURE])


@pytest.mark.parametrize(
    ("slice_", "says"),
    [("[0:11]", "holds 10 samples; 0:11"), ("[10:]", "holds 10 samples"), ("[5:5]", "slice of .* is empty")],
)
def test_a_slice_beyond_the_samples_is_refused(tmp_path: Path, slice_: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        open_dataset(saved(tmp_path, x=pictures()) + slice_, [PICTURE])


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "payload"])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_file_is_an_error_and_not_a_crash(tmp_path: Path, damage: str, compressed: bool) -> None:
    location = saved(tmp_path, compressed=compressed, x=pictures(200))
    path = Path(location)
    whole = path.read_bytes()
    damaged = {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "text": b"hello",
        "payload": whole[:30] + b"\xff" * 100 + whole[130:],
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(DatasetError, match="cannot read"):
        list(open_dataset(location, [PICTURE]).batches(10))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none.npz", "there are no samples at"),
        ("notes.md", "is of no known kind"),
        ("folder", "holds neither pictures"),
        ("x.npz:", "there are no samples at"),
    ],
)
def test_a_place_without_samples_says_what_is_expected(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "notes.md").write_text("hello")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DatasetError, match=says):
        open_dataset(str(tmp_path / name), [PICTURE])


@pytest.mark.parametrize("labels", ["column:y", "array:none", "prefix"])
def test_labels_that_are_not_there_say_how_to_ask(tmp_path: Path, labels: str) -> None:
    with pytest.raises(DatasetError, match="label"):
        open_dataset(saved(tmp_path, x=pictures()), [PICTURE], labels=labels)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((5, 4, 4, 3)), "all samples are equal"),
        (np.repeat(pictures(1), 40, axis=0), r"all samples are equal \(40 samples\)"),
        (np.ones((1, 4, 4, 3)), "one and the same value"),
    ],
)
def test_constant_samples_are_no_calibration(tmp_path: Path, x: NDArray[Any], says: str) -> None:
    dataset = open_dataset(saved(tmp_path, x=x), [PICTURE])
    with pytest.raises(DatasetError, match=says):
        require_varied(dataset)


def test_varied_samples_are_fine_even_beside_a_constant_input(tmp_path: Path) -> None:
    location = saved(tmp_path, image=pictures(), vector=np.ones((10, 2)))
    for part in ("", "[:1]"):
        dataset = open_dataset(location + part, [PICTURE, VECTOR])
        require_varied(dataset)
        assert len(dataset) == (1 if part else 10)
    with pytest.raises(DatasetError, match="all samples are equal"):
        require_varied(open_dataset(saved(tmp_path, vector=np.ones((10, 2))), [VECTOR]))
