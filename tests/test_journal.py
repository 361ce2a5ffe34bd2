"""Answers kept in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.errors import DeviceError, UsageError
from edgekit.journal import Journal
from edgekit.protocols import Feeds, Placement


class Board:
    """A session that answers with twice its input and is lost after some answers."""

    inputs: Sequence[TensorSpec] = (TensorSpec("x", "float32", (1, 2)),)
    outputs: Sequence[TensorSpec] = (TensorSpec("y", "float32", (1, 2)),)

    def __init__(self, answers: int) -> None:
        self.answers = answers

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        if self.answers == 0:
            raise DeviceError("lost")
        self.answers -= 1
        return {"y": 2 * feeds["x"]}

    def placement(self) -> Placement:
        return Placement((), 0)

    def close(self) -> None: ...


def sample(number: float) -> dict[str, NDArray[Any]]:
    return {"x": np.full((1, 2), number, np.float32)}


def test_work_goes_on_where_it_was_lost(tmp_path: Path):
    first = Journal(tmp_path / "journal").session(("pi", "model"), Board(2))
    for number in (1, 2):
        first.run(sample(number))
    with pytest.raises(DeviceError):
        first.run(sample(3))
    board = Board(1)
    second = Journal(tmp_path / "journal").session(("pi", "model"), board)
    answers = [second.run(sample(number))["y"] for number in (1, 2, 3)]
    assert [float(answer[0, 0]) for answer in answers] == [2, 4, 6]
    assert board.answers == 0


def test_another_model_is_asked_anew(tmp_path: Path):
    Journal(tmp_path / "journal").session(("pi", "model"), Board(1)).run(sample(1))
    with pytest.raises(DeviceError):
        Journal(tmp_path / "journal").session(("pi", "other"), Board(0)).run(sample(1))


def test_an_answer_that_was_cut_off_is_dropped(tmp_path: Path):
    path = tmp_path / "journal"
    journal = Journal(path)
    for number in (1, 2):
        journal.ask(number, lambda: np.arange(100))
    path.write_bytes(path.read_bytes()[:-7])
    again = Journal(path)
    assert len(again) == 1
    again.ask(3, lambda: "three")
    assert Journal(path).ask(3, lambda: "never asked") == "three"


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("these are my notes")
    with pytest.raises(UsageError, match="no journal"):
        Journal(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "these are my notes"


def test_a_journal_that_is_done_with_is_gone(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    journal.ask(1, lambda: 2)
    journal.remove()
    assert list(tmp_path.iterdir()) == []
