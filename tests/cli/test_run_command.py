"""``edgekit run``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_models import write_doubler

from edgekit.cli.border import run

SAMPLES = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def samples(tmp_path: Path) -> str:
    np.savez(tmp_path / "in.npz", x=SAMPLES, y=np.zeros(4))
    return str(tmp_path / "in.npz")


@pytest.mark.parametrize("batch", [1, 3, "batch"])
def test_samples_go_through_any_batch(tmp_path: Path, samples: str, batch: int | str) -> None:
    model, output = write_doubler(tmp_path / "m.onnx", batch=batch), tmp_path / "out.npz"
    assert run(["run", str(model), "--input", samples, "--output", str(output)]) == 0
    with np.load(output) as written:
        assert list(written) == ["file"]
        np.testing.assert_array_equal(written["file"], 2 * SAMPLES)


def test_json_tells_what_was_written(tmp_path: Path, samples: str, capsys: pytest.CaptureFixture[str]) -> None:
    model, output = write_doubler(tmp_path / "m.onnx"), tmp_path / "out.npz"
    assert run(["run", str(model), "--input", samples, "--output", str(output), "--threads", "2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "edgekit.run/1"
    assert document["outputs"] == [{"name": "file", "dtype": "float32", "shape": [4, 3]}]
    assert (document["samples"], document["runtime"], document["threads"]) == (4, "onnxruntime", 2)


def test_samples_that_do_not_fit_leave_no_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "in.npz", x=np.zeros((4, 5), np.float32))
    model, output = write_doubler(tmp_path / "m.onnx"), tmp_path / "out.npz"
    assert run(["run", str(model), "--input", str(tmp_path / "in.npz"), "--output", str(output)]) == 1
    assert "shape" in capsys.readouterr().err
    assert not output.exists()


def test_an_output_of_another_kind_is_wrong_usage(tmp_path: Path, samples: str) -> None:
    model = write_doubler(tmp_path / "m.onnx")
    assert run(["run", str(model), "--input", samples, "--output", str(tmp_path / "out.csv")]) == 2


def test_a_damaged_file_is_one_message(tmp_path: Path, samples: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.tflite").write_bytes(b"no model")
    output = str(tmp_path / "out.npz")
    assert run(["run", str(tmp_path / "m.tflite"), "--input", samples, "--output", output]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "is not a TFLite file" in err
    assert "Traceback" not in err
