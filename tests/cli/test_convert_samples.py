"""Samples of every kind as ``edgekit convert`` takes them, and those it refuses before any work."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from conversion import DIGITS, convert

STORED = np.load(DIGITS / "calibrate.npz")
PIXELS, LABELS = STORED["x"], STORED["y"]

GENERATOR = """
import numpy as np

def digits():
    stored = np.load({path!r})
    for start in range(0, 100, 20):
        yield stored["x"][start : start + 20].astype(np.float32), stored["y"][start : start + 20]
"""


def npy(folder: Path) -> str:
    np.save(folder / "x.npy", PIXELS)
    return str(folder / "x.npy")


def slice_of_npz(folder: Path) -> str:
    return f"{DIGITS / 'calibrate.npz'}[0:40]"


def by_input_name(folder: Path) -> str:
    np.savez(folder / "named.npz", image=PIXELS.astype(np.float64), y=LABELS)
    return str(folder / "named.npz")


def pictures(folder: Path) -> str:
    image = pytest.importorskip("PIL.Image")
    for index, (pixels, label) in enumerate(zip(PIXELS[:20], LABELS[:20], strict=True)):
        (folder / "pictures" / str(label)).mkdir(parents=True, exist_ok=True)
        image.fromarray((pixels[..., 0] * 15).astype(np.uint8)).save(folder / "pictures" / str(label) / f"{index}.png")
    return str(folder / "pictures")


def generator(folder: Path) -> str:
    (folder / "digit_stream.py").write_text(GENERATOR.format(path=str(DIGITS / "calibrate.npz")))
    return "digit_stream:digits"


@pytest.mark.parametrize(
    ("make", "options", "count"),
    [
        (npy, (), 100),
        (slice_of_npz, (), 40),
        (by_input_name, (), 100),
        (pictures, ("--channels", "L", "--scale", "15"), 20),
        (generator, (), 100),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_kind_of_samples_calibrates(
    digits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: object,
    options: tuple[str, ...],
    count: int,
) -> None:
    monkeypatch.chdir(tmp_path)  # where module:function looks first
    assert callable(make)
    made = convert(digits, tmp_path / "out", "--calibrate", make(tmp_path), "--no-checks", *options)
    assert made.code == 0, made.err
    assert made.document["calibration"]["count"] == count


def test_the_preprocessing_of_pictures_goes_into_the_manifest(digits: Path, tmp_path: Path) -> None:
    options = ("--resize", "8x8", "--channels", "L", "--scale", "15", "--no-checks", "--to", "tflite")
    made = convert(digits, tmp_path / "out", "--calibrate", pictures(tmp_path), *options)
    stored = made.manifest("digits.int8.tflite")["preprocess"]
    assert (stored["resize"], stored["channels"], stored["scale"]) == ([8, 8], "L", [15.0])


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"foo": PIXELS, "bar": PIXELS}, r"holds the arrays 'foo', 'bar'; the model's inputs are 'image' \(or 'x'\)"),
        ({"x": PIXELS[:, :7]}, r"have shape \(7, 8, 1\); the model takes \(8, 8, 1\)"),
        ({"x": PIXELS.transpose(0, 3, 1, 2)}, r"the channels stand elsewhere, write x.transpose\(0, 2, 3, 1\)"),
        ({"x": PIXELS[..., 0]}, r"write x\[\.\.\., None\]"),
        ({"x": PIXELS.astype(np.complex64)}, "are complex64; the model takes float32"),
        ({"x": PIXELS.astype(str)}, "the model takes float32"),
        ({"x": PIXELS[:0]}, "holds no samples"),
        ({"x": PIXELS, "y": LABELS[:5]}, r"different numbers of samples \(image: 100, labels: 5\)"),
        ({"x": np.where(PIXELS > 15, np.nan, PIXELS)}, r"sample \d+ of 'image' in .* holds nan"),
        ({"x": np.where(PIXELS > 15, np.inf, PIXELS)}, r"holds inf"),
        ({"x": np.full_like(PIXELS, 3)}, "all samples are equal"),
    ],
    ids=["names", "shape", "layout", "axis", "complex", "text", "none", "count", "nan", "infinite", "constant"],
)
def test_samples_that_do_not_fit_are_one_message(
    digits: Path, tmp_path: Path, arrays: dict[str, np.ndarray], says: str
) -> None:
    np.savez(tmp_path / "samples.npz", **arrays)
    made = convert(digits, tmp_path / "out", "--calibrate", str(tmp_path / "samples.npz"))
    assert (made.code, made.document["error"]["kind"]) == (1, "DatasetError")
    assert re.search(says, made.err)
    assert made.err.count("\n") == 1
    assert not made.out.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--calibrate", "none.npz"), "there are no samples at 'none.npz'"),
        (
            ("--calibrate", str(DIGITS / "calibrate.npz"), "--evaluate", "none.npz"),
            "there are no samples at 'none.npz'",
        ),
        (("--calibrate", f"{DIGITS / 'calibrate.npz'}[200:]"), "100"),
        (("--calibrate", "{tmp}/damaged.npz"), "cannot read"),
        (("--calibrate", "{tmp}"), "{tmp}"),
    ],
    ids=["missing", "evaluation", "slice", "damaged", "folder"],
)
def test_samples_that_are_not_there_are_one_message(
    digits: Path, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    (tmp_path / "damaged.npz").write_bytes((DIGITS / "calibrate.npz").read_bytes()[:500])
    made = convert(digits, tmp_path / "out", *(option.format(tmp=tmp_path) for option in options))
    assert made.code == 1
    assert says.format(tmp=tmp_path) in made.err
    assert made.err.count("\n") == 1
    assert not made.out.exists()


def test_int8_without_samples_is_wrong_usage_and_the_message_says_what_to_give(digits: Path, tmp_path: Path) -> None:
    made = convert(digits, tmp_path / "out")
    assert made.code == 2
    assert "int8 needs sample inputs to calibrate on. Give --calibrate SAMPLES" in made.err
    assert "--precision int8-dynamic" in made.err
    assert not made.out.exists()


@pytest.mark.parametrize(("count", "says"), [(1, "1 sample is little"), (19, "19 samples are little"), (20, None)])
def test_few_samples_are_remarked_on_with_the_number_that_is_sensible(
    digits: Path, tmp_path: Path, count: int, says: str | None
) -> None:
    made = convert(digits, tmp_path, "--calibrate", f"{DIGITS / 'calibrate.npz'}[0:{count}]", "--no-checks")
    found = [note for note in made.document["notes"] if "little to calibrate on" in note]
    assert len(found) == (says is not None)
    if says is not None:
        assert found[0].startswith(says)
        assert "100 typical ones" in found[0]
