"""Sample ratio mismatch: how often is a sound split blamed, and a broken one seen."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from engine.statistics.simulations.checks import Check, Limit, Profile, at_least, at_most
from engine.statistics.srm import ALARM, FLAG, Split, check_split, split_evidence

VISITORS = 20_000
HALVES = (1.0, 1.0)


def on_the_page(profile: Profile) -> list[Check]:
    """The chi-square read once at 20,000 visitors, on a sound split and on 52/48."""
    runs = profile.runs(200_000)
    rng = np.random.default_rng(31337)
    first = rng.binomial(VISITORS, 0.5, runs)
    sound, loosely = _flagged(first), _flagged(first, below=0.01)
    broken = _flagged(rng.binomial(VISITORS, 0.52, runs))
    return [
        Check(
            "SRM: a sound split flagged at p < 0.001 (control: at 0.01)",
            sound,
            Limit(0.0003, 0.0022),
            loosely,
            at_least(0.005),
        ),
        Check(
            "SRM: 52/48 found at 20,000 (control: 50/50)",
            broken,
            at_least(0.985),
            sound,
            at_most(0.0022),
        ),
    ]


def _flagged(first: npt.NDArray[np.int64], below: float = FLAG) -> float:
    """The share of splits that the page flags; the same counts are checked once."""
    counts, times = np.unique(first, return_counts=True)
    splits = [Split((int(count), VISITORS - int(count)), HALVES) for count in counts]
    flags = [check_split([split]).p < below for split in splits]
    return float(np.asarray(flags) @ times / times.sum())


def all_the_time(profile: Profile) -> list[Check]:
    """The alarm looks after every visitor; a chi-square that did so would cry wolf."""
    runs, chunk = profile.runs(5_000), 50
    rng = np.random.default_rng(31338)
    alarms, flags = 0, 0
    seen = np.arange(1.0, VISITORS + 1)
    for start in range(0, runs, chunk):
        size = min(chunk, runs - start), VISITORS
        first = (rng.random(size) < 0.5).cumsum(axis=1).astype(np.float64)
        observed = np.stack([first, seen - first], axis=-1)
        evidence = split_evidence(observed, np.array([0.5, 0.5]))
        alarms += int((evidence >= -math.log(ALARM)).any(axis=1).sum())
        # The chi-square of two even arms, from 100 visitors on; 10.83 is its bound at 0.001.
        chi = (2 * first - seen)[:, 100:] ** 2 / seen[100:]
        flags += int((chi > 10.828).any(axis=1).sum())
    return [
        Check(
            f"SRM: false alarms over {VISITORS:,} looks (control: chi-square)",
            alarms / runs,
            at_most(0.0025),
            flags / runs,
            at_least(0.01),
        )
    ]


def idle_arm(_profile: Profile) -> list[Check]:
    """An arm without weight changes no p-value; counted as a degree of freedom it would."""
    observed = (10_150, 9_850)
    plain = check_split([Split(observed, HALVES)]).p
    with_idle = check_split([Split((*observed, 0), (*HALVES, 0.0))]).p
    # Three even arms' degrees of freedom at the same chi-square: exp(-chi/2).
    wrong = math.exp(-((observed[0] - 10_000) ** 2) / 10_000)
    return [
        Check(
            "SRM: what an arm without weight changes (control: as a degree of freedom)",
            abs(plain - with_idle),
            at_most(0.0),
            abs(wrong - plain),
            at_least(FLAG),
        )
    ]
