"""Looking after every conversion: how often is nothing called an effect, and how soon is one found.

Visitors come one by one; only conversions are written down, each with the visitors before it, so
that a whole experiment is a few thousand numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.statistics.distributions import Floats, normal_quantile
from engine.statistics.proportions import (
    Arm,
    Pair,
    difference_at,
    log_evidence,
    prior_strength,
    ratio_interval,
    z_score,
    z_test,
)
from engine.statistics.sequential import (
    FEWEST_VALUES,
    log_evidence_of_mean,
    look_bounds,
    mixing_variance,
)
from engine.statistics.simulations.checks import Check, Limit, Profile, at_least, at_most

ALPHA = 0.05
HOPED = 0.2
CHUNK = 100
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """Two arms' true rates, the treatment's share, and the visitors of both at the end."""

    control: float
    treatment: float
    share: float = 0.5
    visitors: int = 40_000


@dataclass(frozen=True)
class History:
    """Experiments (rows) at each of their conversions (columns): counts so far, and which exist."""

    visitors: Floats
    exposed_a: Floats
    exposed_b: Floats
    converted_a: Floats
    converted_b: Floats
    exists: Flags


@dataclass(frozen=True)
class Stops:
    """Where each experiment stopped (infinity if never), and whether it favoured the treatment."""

    visitors: Floats
    upwards: Flags

    @property
    def share(self) -> float:
        """The share of experiments that stopped at all."""
        return float(np.isfinite(self.visitors).mean())

    def by(self, visitors: float) -> float:
        """The share that had stopped by then."""
        return float((self.visitors <= visitors).mean())


def histories(rng: np.random.Generator, scene: Scene, runs: int) -> Iterator[History]:
    """So many experiments, a chunk at a time."""
    for start in range(0, runs, CHUNK):
        yield _history(rng, scene, min(CHUNK, runs - start))


def _history(rng: np.random.Generator, scene: Scene, runs: int) -> History:
    """The visitors between conversions are geometric, the treatment's among them binomial."""
    rate = (1 - scene.share) * scene.control + scene.share * scene.treatment
    expected = scene.visitors * rate
    shape = runs, int(expected + 6 * math.sqrt(expected) + 10)
    gaps = rng.geometric(rate, shape)
    treated = rng.random(shape) < scene.share * scene.treatment / rate
    unconverted_share = scene.share * (1 - scene.treatment) / (1 - rate)
    others = rng.binomial(gaps - 1, unconverted_share)
    visitors = gaps.cumsum(axis=1).astype(np.float64)
    exposed_b = (others + treated).cumsum(axis=1).astype(np.float64)
    converted_b = treated.cumsum(axis=1).astype(np.float64)
    converted_a = np.arange(1.0, shape[1] + 1) - converted_b
    exists = visitors <= scene.visitors
    return History(visitors, visitors - exposed_b, exposed_b, converted_a, converted_b, exists)


def always_valid(history: History, scene: Scene) -> Flags:
    """Where the product's default rule has decided."""
    prior = prior_strength(HOPED)
    evidence = log_evidence(history.converted_a, history.converted_b, scene.share, prior)
    return evidence >= -math.log(ALPHA)


def naive(history: History, scene: Scene) -> Flags:
    """Where a plain z-test, read at every conversion, is significant: the wrong way."""
    exposed_a, exposed_b = np.maximum(history.exposed_a, 1), np.maximum(history.exposed_b, 1)
    z = z_score(history.converted_a, exposed_a, history.converted_b, exposed_b)
    return np.asarray(np.abs(z) >= normal_quantile(ALPHA / 2), dtype=bool)


def stops(history: History, decided: Flags) -> Stops:
    """The first conversion at which a rule had decided, and its direction there."""
    found = decided & history.exists
    first = found.argmax(axis=1)
    rows = np.arange(len(first))
    visitors = np.where(found.any(axis=1), history.visitors[rows, first], np.inf)
    upwards = (
        history.converted_b[rows, first] * history.exposed_a[rows, first]
        > history.converted_a[rows, first] * history.exposed_b[rows, first]
    )
    return Stops(visitors, upwards)


def both_ways(seed: int, scene: Scene, runs: int) -> tuple[Stops, Stops]:
    """The stops of the default rule and of naive peeking over the same experiments."""
    rng = np.random.default_rng(seed)
    right, wrong = [], []
    for history in histories(rng, scene, runs):
        right.append(stops(history, always_valid(history, scene)))
        wrong.append(stops(history, naive(history, scene)))
    return _joined(right), _joined(wrong)


def _joined(parts: list[Stops]) -> Stops:
    return Stops(
        np.concatenate([part.visitors for part in parts]),
        np.concatenate([part.upwards for part in parts]),
    )


def false_positives(profile: Profile) -> list[Check]:
    """A/A with a look after every conversion, at a common base, a rare one and a skewed split."""
    scenes = {
        "base 10 %": Scene(0.1, 0.1),
        "base 1 %": Scene(0.01, 0.01),
        "base 10 %, split 10/90": Scene(0.1, 0.1, share=0.9),
    }
    found = []
    for name, scene in scenes.items():
        right, wrong = both_ways(20261, scene, profile.runs(20_000))
        found.append(
            Check(
                f"A/A, a look after every conversion, {name} (control: plain z)",
                right.share,
                at_most(0.045),
                wrong.share,
                at_least(0.40),
            )
        )
    return found


def power(profile: Profile) -> list[Check]:
    """+20 % on 10 %: found at all, found in time, found soon, and never the wrong way round."""
    right, wrong = both_ways(20262, Scene(0.1, 0.12), profile.runs(20_000))
    idle, _ = both_ways(20263, Scene(0.1, 0.1), profile.runs(5_000))
    stopped, idle_stopped = (np.minimum(one.visitors, 40_000).mean() for one in (right, idle))
    none, some = idle.share, at_most(0.05)
    return [
        Check(
            "+20 % on 10 %: power at 40,000 (control: no effect)",
            right.share,
            at_least(0.99),
            none,
            some,
        ),
        Check(
            "+20 % on 10 %: power by 15,364 (control: no effect)",
            right.by(15_364),
            at_least(0.80),
            none,
            some,
        ),
        Check(
            "+20 % on 10 %: mean visitors at the stop (control: no effect)",
            float(stopped),
            at_most(10_300),
            float(idle_stopped),
            at_least(35_000),
        ),
        Check(
            "+20 % on 10 %: wrong sign at the stop (control: plain z)",
            float((np.isfinite(right.visitors) & ~right.upwards).mean()),
            at_most(0.002),
            float((np.isfinite(wrong.visitors) & ~wrong.upwards).mean()),
            at_least(0.05),
        ),
    ]


def planned(profile: Profile) -> list[Check]:
    """The group sequential rule: 20 looks at a planned size of 8,400."""
    runs = profile.runs(200_000)
    fractions = tuple(look / 20 for look in range(1, 21))
    bounds = np.array(look_bounds(fractions, ALPHA))
    lifted, idle = _z_at_looks(20264, 0.12, runs), _z_at_looks(20265, 0.1, runs)
    crossed, idly = np.abs(lifted) >= bounds, np.abs(idle) >= bounds
    errors = float(idly.any(axis=1).mean())
    return [
        Check(
            "O'Brien-Fleming, 20 looks, planned 8,400: power (control: no effect)",
            float(crossed.any(axis=1).mean()),
            at_least(0.785),
            errors,
            at_most(0.1),
        ),
        Check(
            "O'Brien-Fleming, 20 looks: mean visitors at the stop (control: no effect)",
            _mean_stop(crossed),
            at_most(6_400),
            _mean_stop(idly),
            at_least(8_000),
        ),
        Check(
            "O'Brien-Fleming, 20 looks: A/A (control: 1.96 each time)",
            errors,
            at_most(0.056),
            float((np.abs(idle) >= 1.96).any(axis=1).mean()),
            at_least(0.2),
        ),
    ]


def _mean_stop(crossed: Flags) -> float:
    """The visitors at the first look that crossed, at the last one where none did."""
    looks = np.where(crossed.any(axis=1), crossed.argmax(axis=1) + 1, crossed.shape[1])
    return float(looks.mean() * 420)


def _z_at_looks(seed: int, treatment: float, runs: int) -> Floats:
    """z after each of 20 looks at 210 visitors an arm; shape (runs, 20)."""
    rng = np.random.default_rng(seed)
    converted_a = rng.binomial(210, 0.1, (runs, 20)).cumsum(axis=1).astype(np.float64)
    converted_b = rng.binomial(210, treatment, (runs, 20)).cumsum(axis=1).astype(np.float64)
    exposed: Floats = np.arange(210.0, 20 * 210.0 + 1, 210.0)
    return z_score(converted_a, exposed, converted_b, exposed)


def guard(profile: Profile) -> list[Check]:
    """The confidence sequence on a skewed split: honest with its guard, not without."""
    scene, runs = Scene(0.02, 0.02, share=0.1, visitors=20_000), profile.runs(20_000)
    rng = np.random.default_rng(20267)
    guarded, bare = [], []
    for history in histories(rng, scene, runs):
        decided = _sequence_decided(history)
        poorer = np.minimum(history.converted_a, history.converted_b)
        bare.append(stops(history, decided))
        guarded.append(stops(history, decided & (poorer >= FEWEST_VALUES)))
    return [
        Check(
            "A/A, confidence sequence, base 2 %, split 90/10 (control: unguarded)",
            _joined(guarded).share,
            at_most(0.045),
            _joined(bare).share,
            at_least(0.055),
        )
    ]


def _sequence_decided(history: History) -> Flags:
    exposed_a, exposed_b = np.maximum(history.exposed_a, 1), np.maximum(history.exposed_b, 1)
    rate_a, rate_b = history.converted_a / exposed_a, history.converted_b / exposed_b
    variance = rate_a * (1 - rate_a) / exposed_a + rate_b * (1 - rate_b) / exposed_b
    known = variance > 0
    rho2 = mixing_variance(10_000, ALPHA)
    gap, safe = rate_b - rate_a, np.where(known, variance, 1.0)
    evidence = log_evidence_of_mean(gap, safe, history.visitors, rho2)
    return np.asarray(known & (evidence >= -math.log(ALPHA)), dtype=bool)


def coverage(profile: Profile) -> list[Check]:
    """The interval of the sentence, read at 20 looks: how often does it ever miss the truth."""
    runs, looks = profile.runs(2_000), np.unique(np.geomspace(500, 20_000, 20).astype(int))
    rng = np.random.default_rng(20268)
    missed, missed_by_z = 0, 0
    for _ in range(runs):
        steps = np.diff(looks, prepend=0)
        converted = [rng.binomial(steps, rate).cumsum() for rate in (0.1, 0.12)]
        pairs = [
            Pair(Arm(int(n), int(a)), Arm(int(n), int(b)))
            for n, a, b in zip(looks, *converted, strict=True)
        ]
        missed += any(not _covers(pair, 0.02) for pair in pairs)
        missed_by_z += any(not Limit(*z_test(pair).interval).holds(0.02) for pair in pairs)
    return [
        Check(
            "the sentence's interval misses the truth at any of 20 looks (control: z)",
            missed / runs,
            at_most(0.05),
            missed_by_z / runs,
            at_least(0.12),
        )
    ]


def _covers(pair: Pair, truth: float) -> bool:
    low, high = ratio_interval([pair], prior_strength(HOPED), ALPHA)
    return difference_at(low, [pair]) <= truth <= difference_at(high, [pair])
