"""Covariates, ratios, outliers and many questions at once: what helps, and what misleads."""

from __future__ import annotations

import numpy as np

from engine.statistics.distributions import Floats, normal_tails
from engine.statistics.multiplicity import holm
from engine.statistics.proportions import z_score
from engine.statistics.simulations.checks import Check, Limit, Profile, at_least, at_most
from engine.statistics.variance import (
    Moments,
    cap_of,
    cuped_difference,
    moments_of,
    plain_difference,
    ratio_difference,
    welch,
)

UNITS = 2_000


def cuped(profile: Profile) -> list[Check]:
    """A covariate from before the exposure, correlated by 0.6; and one that the variant moved."""
    runs = profile.runs(60_000)
    ratio, errors = _gain_of(np.random.default_rng(42), runs, 0.6)
    moved = _misused(np.random.default_rng(43), profile.runs(5_000))
    return [
        Check(
            "CUPED: variance against plain, rho 0.6 (control: rho 0)",
            ratio,
            Limit(0.62, 0.66),
            _gain_of(np.random.default_rng(46), profile.runs(5_000), 0.0)[0],
            at_least(0.98),
        ),
        Check(
            "CUPED: A/A (control: the variant moved the covariate)",
            errors,
            Limit(0.045, 0.060),
            moved[2],
            at_least(0.5),
        ),
        Check(
            "CUPED: an effect of 0.18 by a covariate from before (control: from after)",
            moved[0],
            Limit(0.17, 0.19),
            moved[1],
            at_most(0.02),
        ),
    ]


def _gain_of(rng: np.random.Generator, runs: int, rho: float) -> tuple[float, float]:
    """The adjusted estimate's variance over the plain one's, and its rate of false positives."""
    plain, adjusted, errors = np.empty(runs), np.empty(runs), 0
    for run in range(runs):
        a, b = _correlated(rng, rho=rho), _correlated(rng, rho=rho)
        found = cuped_difference(a, b)
        plain[run], adjusted[run] = plain_difference(a, b).estimate, found.estimate
        errors += welch(found).p < 0.05
    return float(adjusted.var() / plain.var()), errors / runs


def _correlated(
    rng: np.random.Generator, effect: float = 0.0, moved: float = 0.0, rho: float = 0.6
) -> Moments:
    """Values with a covariate; `moved` is what the variant does to it, which it must not."""
    x = rng.standard_normal(UNITS)
    y = rho * x + (1 - rho**2) ** 0.5 * rng.standard_normal(UNITS) + effect
    return moments_of(y, x + moved)


def _misused(rng: np.random.Generator, runs: int) -> tuple[float, float, float]:
    """The mean estimate of an effect of 0.18, with the covariate left alone and moved by 0.3.

    The third is how often no effect is called one when the variant moves the covariate.
    """
    found = np.empty((runs, 3))
    for run in range(runs):
        control, none = _correlated(rng), _correlated(rng, moved=0.3)
        found[run, 0] = cuped_difference(control, _correlated(rng, 0.18)).estimate
        found[run, 1] = cuped_difference(control, _correlated(rng, 0.18, moved=0.3)).estimate
        found[run, 2] = welch(cuped_difference(control, none)).p < 0.05
    first, second, errors = (float(mean) for mean in found.mean(axis=0))
    return first, second, errors


def ratio(profile: Profile) -> list[Check]:
    """Answers per message: visitors write several messages each, and differ from each other."""
    runs = profile.runs(40_000)
    rng = np.random.default_rng(44)
    right, wrong = 0, 0
    for _ in range(runs):
        a, b = _messages(rng), _messages(rng)
        right += welch(ratio_difference(a, b)).p < 0.05
        wrong += abs(float(z_score(a.y, a.x, b.y, b.x))) > 1.96
    return [
        Check(
            "ratio metric: A/A by the delta method (control: messages as units)",
            right / runs,
            at_most(0.062),
            wrong / runs,
            at_least(0.10),
        )
    ]


def _messages(rng: np.random.Generator) -> Moments:
    """Messages a visitor (1 to many), and how many of them got an answer."""
    count = rng.geometric(0.25, UNITS)
    answered = rng.binomial(count, rng.beta(2, 6, UNITS))
    return moments_of(answered, count)


def outliers(profile: Profile) -> list[Check]:
    """Deal values, +15 % in rate and in value, 5,000 visitors an arm: the power that a cap buys."""
    runs, units = profile.runs(10_000), 5_000
    rng = np.random.default_rng(45)
    raw, capped = 0, 0
    for _ in range(runs):
        a, b = _deals(rng, units, 0.05, 1.0), _deals(rng, units, 0.0575, 1.15)
        cap = cap_of(np.concatenate([a, b]), 0.99)
        raw += welch(plain_difference(moments_of(a), moments_of(b))).p < 0.05
        capped += welch(plain_difference(moments_of(a, cap=cap), moments_of(b, cap=cap))).p < 0.05
    return [
        Check(
            "deal value: power with a cap at the 99th percentile (control: raw)",
            capped / runs,
            at_least(0.28),
            raw / runs,
            at_most(0.27),
        )
    ]


def _deals(rng: np.random.Generator, units: int, rate: float, factor: float) -> Floats:
    values: Floats = rng.lognormal(6.0, 1.5, units) * factor * (rng.random(units) < rate)
    return values


def family(profile: Profile) -> list[Check]:
    """Four variants and a control, five metrics, nothing different: is any called a winner?"""
    runs, units = profile.runs(20_000), 5_000
    rng = np.random.default_rng(2024)
    converted = rng.binomial(units, 0.1, (runs, 5, 5)).astype(np.float64)
    z = z_score(converted[:, :1], units, converted[:, 1:], units)
    p = 2 * normal_tails(np.abs(z)).reshape(runs, 20)
    corrected = sum(min(holm(row.tolist()).adjusted) <= 0.05 for row in p)
    return [
        Check(
            "4 variants x 5 metrics, family-wise by Holm (control: uncorrected)",
            corrected / runs,
            at_most(0.055),
            float((p <= 0.05).any(axis=1).mean()),
            at_least(0.50),
        )
    ]
