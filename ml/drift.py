"""Has the world moved: calibration on ripe outcomes, and how the leads themselves changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.special import expit  # type: ignore[import-untyped]
from scipy.stats import chi2, norm  # type: ignore[import-untyped]

from ml.evaluate import losses

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ALARM_Z = 3.0
BINS = 10
SURE = 0.99
# The version before comes back only when it is surely better: the question is asked every night.
FEWEST_TO_COMPARE = 30
FEWEST_OF_A_KIND = 5
# An update of the intercept believes the old one as much as so many leads.
PRIOR_LEADS = 20.0


@dataclass(frozen=True)
class Calibration:
    """Wins seen and said on ripe outcomes, and how many standard errors lie between."""

    leads: int
    seen: float
    said: float
    z: float

    @property
    def alarm(self) -> bool:
        """Whether chance cannot explain it."""
        return abs(self.z) > ALARM_Z


@dataclass(frozen=True)
class Shift:
    """The population stability index of a score or feature, and the limit for so few leads."""

    name: str
    psi: float
    limit: float

    @property
    def alarm(self) -> bool:
        """Whether it moved more than samples of this size do by chance."""
        return self.psi > self.limit


@dataclass(frozen=True)
class Comparison:
    """By how many nats a lead the version before would have done better than what serves."""

    leads: int
    gain: float
    error: float

    @property
    def is_surely_better(self) -> bool:
        """Whether chance cannot explain that the version before did better."""
        return self.gain > float(norm.ppf(SURE)) * self.error


def calibration(won: Ints, logits: Floats) -> Calibration:
    """Calibration in the large: (wins - sum p) / sqrt(sum p (1 - p))."""
    probability = expit(logits)
    spread = float(np.sqrt(np.sum(probability * (1 - probability))))
    seen, said = float(won.sum()), float(probability.sum())
    return Calibration(len(won), seen, said, (seen - said) / spread if spread else 0.0)


def shift(name: str, before: Floats, after: Floats, *, levels: int = 0) -> Shift:
    """How far a column moved; the limit is the 99th percentile of no drift at these sizes.

    Without drift the index is about (1 / n + 1 / m) times a chi-square of bins - 1 degrees of
    freedom, so 0.1 is much for 10,000 leads and nothing for 100.
    """
    bins = _bin_counts(before, after, levels)
    there, here = bins[:, bins.sum(axis=0) > 0]
    # Half a lead in every bin: an empty one is no infinite surprise.
    p = (there + 0.5) / (there + 0.5).sum()
    q = (here + 0.5) / (here + 0.5).sum()
    psi = float(np.sum((q - p) * np.log(q / p)))
    scale = 1 / max(there.sum(), 1) + 1 / max(here.sum(), 1)
    return Shift(name, psi, float(scale * chi2.ppf(SURE, max(1, len(p) - 1))))


def _bin_counts(before: Floats, after: Floats, levels: int) -> Floats:
    """Leads a bin, before and after: levels, or the deciles of before; the last is missing."""
    if levels:
        edges = np.arange(levels - 1) + 0.5
    else:
        known = before[~np.isnan(before)]
        edges = (
            np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
            if len(known)
            else known
        )
    counts = [
        np.bincount(
            np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values)),
            minlength=len(edges) + 2,
        )
        for values in (before, after)
    ]
    return np.array(counts, dtype=np.float64)


def shifts(
    names: Sequence[str], levels: Sequence[int], before: Floats, after: Floats
) -> list[Shift]:
    """The shift of each column of the matrix, the largest beyond its limit first."""
    found = [
        shift(name, before[:, index], after[:, index], levels=levels[index])
        for index, name in enumerate(names)
    ]
    return sorted(found, key=lambda it: it.limit - it.psi)


def intercept_update(won: Ints, logits: Floats) -> float:
    """By how much to move every logit so that the wins said are the wins seen.

    Drawn towards no move as if some leads had said so; the cheapest repair, and often enough.
    """
    move = 0.0
    rate = float(expit(logits).mean()) if len(logits) else 0.5
    pull = PRIOR_LEADS * rate * (1 - rate)
    for _ in range(50):
        probability = expit(logits + move)
        slope = float(np.sum(won - probability)) - pull * move
        curve = float(np.sum(probability * (1 - probability))) + pull
        step = float(np.clip(slope / max(curve, 1e-12), -2.0, 2.0))
        move += step
        if abs(step) < 1e-10:
            break
    return move


def comparison(won: Ints, serves: Floats, before: Floats) -> Comparison | None:
    """Two versions on ripe outcomes that neither learned from; None where there are too few."""
    if len(won) < FEWEST_TO_COMPARE or min(won.sum(), len(won) - won.sum()) < FEWEST_OF_A_KIND:
        return None
    gains = losses(won, serves) - losses(won, before)
    return Comparison(len(won), float(gains.mean()), float(gains.std() / np.sqrt(len(won))))


def beats_a_mended_one(won: Ints, serves: Floats, before: Floats) -> bool:
    """Whether the version before is better even than what serves with its intercept updated.

    The update is learned on the older half of the rows, and both are judged on the newer one.
    """
    half = len(won) // 2
    move = intercept_update(won[:half], serves[:half])
    mended, old = serves[half:] + move, before[half:]
    return float(losses(won[half:], old).mean()) < float(losses(won[half:], mended).mean())


def next_step(found: Calibration, moved: Sequence[Shift]) -> str:
    """What to do now: nothing, an "intercept" update, or to "retrain" on the newest leads."""
    if not found.alarm and not any(it.alarm for it in moved):
        return "nothing"
    return "intercept" if found.alarm else "retrain"


def summary(found: Calibration, moved: Sequence[Shift]) -> Mapping[str, object]:
    """The state as plain data, for people to see."""
    return {
        "leads": found.leads,
        "wins_seen": found.seen,
        "wins_said": found.said,
        "z": found.z,
        "shifts": [
            cast(object, {"name": it.name, "psi": it.psi, "limit": it.limit, "alarm": it.alarm})
            for it in moved
        ],
        "next_step": next_step(found, moved),
    }
