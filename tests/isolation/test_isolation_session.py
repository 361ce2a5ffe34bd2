from __future__ import annotations

import numpy as np
import pytest

from edgekit import isolation
from edgekit.errors import FeedError, SourceError, StageCrashError

ONES = np.ones((3, 2), np.float32)


def test_a_session_answers_feeds_until_it_is_closed(tmp_path):
    closed = tmp_path / "closed"
    with isolation.open_session("child_functions:open_doubler", closed) as session:
        assert [spec.name for spec in session.inputs] == ["x"]
        assert [spec.name for spec in session.outputs] == ["y"]
        for factor in (1.0, 2.0):
            outputs = session.run({"x": np.float32(factor) * ONES})
            np.testing.assert_array_equal(outputs["y"], 2 * factor * ONES)
        assert session.placement().ops[0].op == "Mul"
    assert closed.read_text() == "closed"
    session.close()


def test_an_error_of_one_run_leaves_the_session_open():
    with isolation.open_session("child_functions:open_doubler", None) as session:
        with pytest.raises(SourceError, match="negative"):
            session.run({"x": -ONES})
        assert session.run({"x": ONES})["y"][0, 0] == 2.0


@pytest.mark.parametrize(
    ("feeds", "words"),
    [
        ({"z": ONES}, r"\['z'\].*\['x'\]"),
        ({"x": ONES.astype(np.float64)}, "float64; it takes float32"),
        ({"x": np.ones((3, 5), np.float32)}, r"\(3, 5\)"),
        ({"x": np.ones(2, np.float32)}, r"shape \(2,\)"),
    ],
)
def test_wrong_feeds_are_refused(feeds, words):
    with isolation.open_session("child_functions:open_doubler", None) as session, pytest.raises(FeedError, match=words):
        session.run(feeds)


def test_an_error_while_opening_is_raised():
    with pytest.raises(SourceError, match="there is no model"):
        isolation.open_session("child_functions:open_nothing", None)


def test_a_crash_of_a_run_is_an_error_that_names_the_stage():
    with (
        isolation.open_session("child_functions:open_doubler", None, stage="the reference") as session,
        pytest.raises(StageCrashError, match=r"the reference crashed: .*SIGSEGV"),
    ):
        session.run({"x": np.nan * ONES})


def test_a_closed_session_says_so():
    session = isolation.open_session("child_functions:open_doubler", None, stage="the reference")
    session.close()
    with pytest.raises(StageCrashError, match="the reference has ended"):
        session.run({"x": ONES})
