"""Schedules against their formulas."""

from __future__ import annotations

import pytest

from edgekit.errors import UsageError
from edgekit.prune import Constant, OneShot, Polynomial


def test_the_cubic_schedule_is_that_of_zhu_and_gupta():
    schedule = Polynomial(begin=100, end=300, every=50)
    # s = s_f (1 - (1 - (t - t_0) / (n dt)) ** 3): at a quarter 1 - 27/64, in the middle 7/8.
    assert [schedule.share(step) for step in (0, 100, 150, 200, 300, 999)] == [0, 0, 1 - 27 / 64, 7 / 8, 1, 1]


def test_masks_are_chosen_at_the_given_steps_and_at_the_last():
    schedule = Polynomial(begin=10, end=35, every=10)
    assert [step for step in range(60) if schedule.due(step)] == [10, 20, 30, 35]


def test_the_power_is_how_fast_it_begins():
    assert Polynomial(0, 4, power=1).share(1) == 0.25
    assert Polynomial(0, 4, power=2).share(1) == 1 - 9 / 16


def test_a_constant_schedule_chooses_anew_until_its_end():
    schedule = Constant(begin=5, end=15, every=5)
    assert [step for step in range(30) if schedule.due(step)] == [5, 10, 15]
    assert [schedule.share(step) for step in (4, 5, 30)] == [0, 1, 1]


def test_one_shot_chooses_once():
    assert [step for step in range(9) if OneShot(at=3).due(step)] == [3]
    assert [OneShot(at=3).share(step) for step in (2, 3, 4)] == [0, 1, 1]


@pytest.mark.parametrize(
    "make",
    [lambda: Polynomial(5, 5), lambda: Polynomial(0, 5, power=0), lambda: Constant(3, 2), lambda: OneShot(-1)],
)
def test_a_schedule_that_makes_no_sense_is_refused(make):
    with pytest.raises(UsageError, match="expected"):
        make()
