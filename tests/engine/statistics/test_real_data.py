"""Hillstrom's published e-mail experiment: every known figure, to the digit."""

from __future__ import annotations

import csv
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest

from engine.statistics.multiplicity import holm
from engine.statistics.proportions import Arm, Pair, z_test
from engine.statistics.srm import Split, check_split
from engine.statistics.variance import (
    Moments,
    cuped_difference,
    moments_of,
    plain_difference,
    ratio_difference,
    welch,
)
from tests.shared_data import shared_file

Column = npt.NDArray[np.float64]
MEN, WOMEN, NONE = "Mens E-Mail", "Womens E-Mail", "No E-Mail"


@pytest.fixture(scope="module")
def arms() -> Mapping[str, dict[str, Column]]:
    """Each arm's columns by name."""
    with shared_file("hillstrom.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = ("visit", "conversion", "spend", "history")
    return {
        arm: {
            name: np.array([float(row[name]) for row in rows if row["segment"] == arm])
            for name in names
        }
        for arm in (MEN, WOMEN, NONE)
    }


def pair(arms: Mapping[str, dict[str, Column]], arm: str, metric: str) -> Pair:
    control, treatment = arms[NONE][metric], arms[arm][metric]
    return Pair(
        Arm(control.size, int(control.sum())), Arm(treatment.size, int(treatment.sum())), 0.5
    )


def spend(arms: Mapping[str, dict[str, Column]], arm: str) -> Moments:
    return moments_of(arms[arm]["spend"], arms[arm]["visit"])


def test_the_split_is_sound(arms: Mapping[str, dict[str, Column]]) -> None:
    observed = tuple(arms[arm]["visit"].size for arm in (MEN, NONE, WOMEN))

    assert observed == (21_307, 21_306, 21_387)
    assert round(check_split([Split(observed, (1, 1, 1))]).p, 3) == 0.904


@pytest.mark.parametrize(
    ("metric", "percent"),
    [("visit", (18.2757, 10.6167, 15.1400)), ("conversion", (1.2531, 0.5726, 0.8837))],
)
def test_the_rates_are_the_published_ones(
    arms: Mapping[str, dict[str, Column]], metric: str, percent: tuple[float, ...]
) -> None:
    rates = tuple(arms[arm][metric].mean() * 100 for arm in (MEN, NONE, WOMEN))

    assert tuple(round(rate, 4) for rate in rates) == percent


def test_the_spending_is_the_published_one(arms: Mapping[str, dict[str, Column]]) -> None:
    means = tuple(round(spend(arms, arm).mean, 4) for arm in (MEN, NONE, WOMEN))

    assert means == (1.4226, 0.6528, 1.0772)


@pytest.mark.parametrize(
    ("arm", "metric", "z", "p"),
    [
        (MEN, "visit", "22.486", None),
        (MEN, "conversion", "7.385", "1.5e-13"),
        (WOMEN, "visit", "13.949", None),
        (WOMEN, "conversion", "3.780", "1.6e-04"),
    ],
)
def test_the_tests_of_rates_are_the_published_ones(
    arms: Mapping[str, dict[str, Column]], arm: str, metric: str, z: str, p: str | None
) -> None:
    found = z_test(pair(arms, arm, metric))

    assert f"{found.z:.3f}" == z
    assert p is None or f"{found.p:.1e}" == p


def test_the_tests_of_spending_are_the_published_ones(
    arms: Mapping[str, dict[str, Column]],
) -> None:
    figures = {}
    for arm in (MEN, WOMEN):
        difference = plain_difference(spend(arms, NONE), spend(arms, arm))
        read = welch(difference)
        figures[arm] = f"{read.estimate / difference.variance ** 0.5:.3f}", f"{read.p:.2e}"

    assert figures[MEN][0] == "5.300"
    assert figures[WOMEN] == ("3.256", "1.13e-03")


def test_holm_keeps_all_six(arms: Mapping[str, dict[str, Column]]) -> None:
    p_values = [z_test(pair(arms, arm, metric)).p for arm in (MEN, WOMEN) for metric in METRICS]
    p_values += [
        welch(plain_difference(spend(arms, NONE), spend(arms, arm))).p for arm in (MEN, WOMEN)
    ]

    assert max(holm(p_values).adjusted) < 0.05


METRICS = ("visit", "conversion")


def test_the_mails_bring_visits_and_no_bigger_baskets(
    arms: Mapping[str, dict[str, Column]],
) -> None:
    difference = ratio_difference(spend(arms, NONE), spend(arms, MEN))

    assert (round(difference.treatment, 3), round(difference.control, 3)) == (7.784, 6.149)
    assert round(difference.estimate / difference.variance**0.5, 3) == 1.657
    assert round(welch(difference).p, 3) == 0.098


def test_a_covariate_that_knows_little_gains_little(
    arms: Mapping[str, dict[str, Column]],
) -> None:
    control, treatment = (
        moments_of(arms[arm]["visit"], arms[arm]["history"]) for arm in (NONE, MEN)
    )

    gain = 1 - cuped_difference(control, treatment).variance / (
        plain_difference(control, treatment).variance
    )

    assert 0.0004 < gain < 0.005
