"""Samples from a function of the user's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.artifact import TensorSpec
from edgekit.datasets import open_dataset
from edgekit.errors import DatasetError, UsageError

VECTOR = TensorSpec("v", "float32", ("batch", 2))
Written = Callable[[str], str]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    """Writes the body of ``samples()`` into a module of the current folder and returns its reference."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])

    def write(body: str) -> str:
        text = "import numpy as np\ndef samples():\n" + "".join(f"    {line}\n" for line in body.splitlines())
        (tmp_path / "own_samples.py").write_text(text)
        return "own_samples:samples"

    yield write
    sys.modules.pop("own_samples", None)


@pytest.mark.parametrize(
    "batch",
    [
        "np.full((4, 2), n), np.arange(4) + 4 * n",
        "{'v': np.full((4, 2), n)}, np.arange(4) + 4 * n",
        "{'x': np.full((4, 2), n), 'y': np.arange(4) + 4 * n}",
    ],
)
def test_arrays_dicts_and_tuples_are_batches(written: Written, batch: str) -> None:
    dataset = open_dataset(written(f"for n in range(3):\n    yield {batch}"), [VECTOR])
    assert len(dataset) == 12
    for _ in range(2):
        batches = list(dataset.batches(3))
        assert [len(entry) for entry in batches] == [3, 1, 3, 1, 3, 1]
        assert np.concatenate([entry.labels for entry in batches if entry.labels is not None]).tolist() == [*range(12)]
        assert batches[2].feeds["v"].tolist() == [[1, 1]] * 3


def test_a_slice_takes_part_of_the_stream(written: Written) -> None:
    reference = written("for n in range(3):\n    yield np.full((4, 2), n), np.arange(4) + 4 * n")
    dataset = open_dataset(reference + "[3:9]", [VECTOR])
    labels = [entry.labels.tolist() for entry in dataset.batches(4) if entry.labels is not None]
    assert labels == [[3], [4, 5, 6, 7], [8]]


def test_an_endless_generator_is_fine_with_a_limit(written: Written) -> None:
    dataset = open_dataset(written("while True:\n    yield np.ones((4, 2))"), [VECTOR], limit=6)
    assert len(dataset) == 6
    assert sum(len(batch) for batch in dataset.batches(4)) == 6


def test_fewer_samples_than_the_limit_are_all_taken(written: Written) -> None:
    assert len(open_dataset(written("yield np.ones((4, 2))"), [VECTOR], limit=6)) == 4


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return 5", "returned int; expected an iterable of batches"),
        ("return []", "holds no samples"),
        ("yield {'a': np.ones((1, 2))}", "the model's inputs are 'v'"),
        ("yield np.ones((3, 5))", "the model takes \\(2,\\)"),
        ("yield np.ones((3, 2)), np.ones(2)", "different numbers of samples"),
        ("yield np.full((3, 2), np.nan)", "holds nan"),
    ],
)
def test_what_does_not_fit_is_named(written: Written, body: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        open_dataset(written(body), [VECTOR])


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("no_such_module:samples", "no file or module 'no_such_module'"),
        ("own_samples:other", "has no 'other'"),
        ("own_samples:np", "is not a function"),
    ],
)
def test_a_wrong_reference_is_named(written: Written, reference: str, says: str) -> None:
    written("yield 1")
    with pytest.raises(UsageError, match=says):
        open_dataset(reference, [VECTOR])
