"""Student's t, against the tables."""

from __future__ import annotations

import pytest

from edgekit.student import student_t


@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    [
        # Abramowitz and Stegun, table 26.10
        (0.95, 1, 6.314), (0.975, 1, 12.706), (0.95, 2, 2.920), (0.975, 4, 2.776), (0.95, 7, 1.895), (0.975, 9, 2.262),
        (0.995, 10, 3.169), (0.95, 30, 1.697), (0.975, 120, 1.980),
    ],
)  # fmt: skip
def test_quantiles_are_those_of_the_table(probability: float, degrees: int, expected: float) -> None:
    assert student_t(probability, degrees) == pytest.approx(expected, abs=6e-4)


def test_half_lies_below_zero() -> None:
    assert student_t(0.5, 5) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("probability", "degrees"), [(0.95, 0), (1.0, 3), (0.4, 3)])
def test_what_has_no_quantile_is_refused(probability: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="student_t needs"):
        student_t(probability, degrees)
