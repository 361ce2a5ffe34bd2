"""Samples without states are chunks of streams; calibration gets the states of the running model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streaming_models import chunk_network, chunks_of_signal, signal

from edgekit.artifact import State
from edgekit.datasets import Chunks, StreamedSamples, chunks_of, open_dataset
from edgekit.errors import DatasetError
from edgekit_converters.hub.run import hub_session

STATES = (State("cache", "new_cache"), State("hidden", "new_hidden"))
SESSION = hub_session(chunk_network(4))
X = chunks_of_signal(signal(40), 4)


def saved(folder: Path, **arrays: np.ndarray) -> str:
    np.savez(folder / "samples.npz", **arrays)
    return str(folder / "samples.npz")


def opened(location: str) -> Chunks:
    found = chunks_of(open_dataset(location, SESSION.inputs, states=STATES), STATES)
    assert found is not None
    return found


def test_the_first_chunk_of_each_group_starts_a_stream(tmp_path: Path) -> None:
    chunks = opened(saved(tmp_path, x=X, group=np.array([0] * 3 + [7] * 5 + [1] * 2), y=np.arange(10)))
    batches = list(chunks.batches(16))
    assert [number for number, batch in enumerate(batches) if batch.starts] == [0, 3, 8]
    assert [int(batch.labels[0]) for batch in batches if batch.labels is not None] == list(range(10))
    assert {name: array.shape for name, array in batches[0].feeds.items()} == {"x": (1, 4, 4)}


def test_without_groups_all_chunks_are_one_stream(tmp_path: Path) -> None:
    chunks = opened(saved(tmp_path, x=X))
    assert [batch.starts for batch in chunks.batches(1)] == [True] + [False] * 9
    assert len(chunks) == 10


def test_the_states_come_from_the_running_model(tmp_path: Path) -> None:
    chunks = opened(saved(tmp_path, x=X, group=np.array([0] * 6 + [1] * 4)))
    samples = StreamedSamples(chunks, SESSION, STATES)
    for _ in range(2):  # every pass begins anew
        state = {}
        for number, batch in enumerate(samples.batches(8)):
            if number in (0, 6):
                state = {spec.name: np.zeros(spec.shape, np.float32) for spec in SESSION.inputs if spec.name != "x"}
            assert batch.whole
            for name, array in state.items():
                np.testing.assert_array_equal(batch.feeds[name], array)
            found = SESSION.run(batch.feeds)
            state = {entry.input: found[entry.output] for entry in STATES}


def test_samples_that_hold_the_states_are_taken_as_they_are(tmp_path: Path) -> None:
    arrays = {spec.name: np.zeros((10, *spec.shape), np.float32) for spec in SESSION.inputs if spec.name != "x"}
    location = saved(tmp_path, x=X[:, np.newaxis], **arrays)
    samples = open_dataset(location, SESSION.inputs, states=STATES)
    assert {spec.name for spec in samples.inputs} == {"x", "cache", "hidden"}
    assert chunks_of(samples, STATES) is None


def test_samples_that_hold_some_of_the_states_are_refused(tmp_path: Path) -> None:
    location = saved(tmp_path, x=X, cache=np.zeros((10, 1, 4, 2), np.float32))
    with pytest.raises(DatasetError, match="'hidden'"):
        open_dataset(location, SESSION.inputs, states=STATES)


def test_a_function_may_give_chunks_or_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chunk_samples.py").write_text(
        "import numpy as np\n"
        "def chunks():\n    return [np.ones((3, 4, 4), np.float32), {'x': np.zeros((2, 4, 4), np.float32)}]\n"
        "def nothing():\n    return []\n",
        "utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert len(list(opened("chunk_samples:chunks").batches(1))) == 5
    with pytest.raises(DatasetError, match="no samples"):
        opened("chunk_samples:nothing")
