"""How good a model is on leads that it has not seen, and the gate that a candidate must pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy.special import expit  # type: ignore[import-untyped]
from scipy.stats import norm  # type: ignore[import-untyped]
from sklearn.model_selection import (  # type: ignore[import-untyped]
    RepeatedStratifiedKFold,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SEED = 42
RESAMPLES = 200
BINS = 10
TOP = 0.1
NEWEST = 0.2
TINY = 1e-15
# How sure we must be that a candidate is better than knowing nothing and than the points.
SURE_EARLY = 0.8
SURE = 0.95
# A candidate whose sum of probabilities is this many standard errors off is not calibrated.
MOST_OFF = 4.0


@dataclass(frozen=True)
class Figure:
    """A measured number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Report:
    """What was measured: the figures by name and the curve of calibration."""

    rows: int
    wins: int
    figures: Mapping[str, Figure]
    curve: tuple[tuple[float, float, int], ...]
    how: str = ""

    def plain(self) -> dict[str, Any]:
        """The report as plain data, for a model card."""
        figures = {name: [it.value, it.low, it.high] for name, it in self.figures.items()}
        curve = [list(point) for point in self.curve]
        return {
            "rows": self.rows,
            "wins": self.wins,
            "how": self.how,
            "figures": figures,
            "curve": curve,
        }


@dataclass(frozen=True)
class Verdict:
    """Whether a candidate may be promoted, and why or why not, in sentences."""

    promote: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """Outcomes that no contestant was trained on, with what each said of them (as logits)."""

    won: Ints
    candidate: Floats
    rules: Floats | None = None
    incumbent: Floats | None = None
    rate: float = 0.5
    label: str = "normal"
    weight: Floats | None = field(default=None)


def measure(won: Ints, logits: Floats, weight: Floats | None = None, *, how: str = "") -> Report:
    """All figures with bootstrap intervals; `weight` undoes that some were likelier to be seen."""
    order = np.argsort(-logits, kind="stable")
    hit, logits = won[order].astype(np.float64), logits[order]
    weight = np.ones(len(won)) if weight is None else weight[order]
    probability = expit(logits)
    values = _figures(hit, probability, logits, weight)
    draws: dict[str, list[float]] = {name: [] for name in values}
    rng = np.random.default_rng(SEED)
    for _ in range(RESAMPLES):
        again = weight * rng.multinomial(len(won), np.full(len(won), 1 / len(won)))
        if 0 < (again * hit).sum() < again.sum():
            for name, value in _figures(hit, probability, logits, again).items():
                draws[name].append(value)
    figures = {
        name: Figure(value, *(_ends(draws[name]) if draws[name] else (value, value)))
        for name, value in values.items()
    }
    curve = tuple(_curve(hit, probability, weight))
    return Report(len(won), int(won.sum()), figures, curve, how)


def _ends(draws: list[float]) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _figures(won: Floats, probability: Floats, logits: Floats, weight: Floats) -> dict[str, float]:
    """The figures of rows in falling order of their score."""
    total, wins = weight.sum(), (weight * won).sum()
    rate = wins / total
    top = _precision_at(won, weight, TOP)
    return {
        "auc": _auc(won, logits, weight),
        "pr_auc": _average_precision(won, logits, weight),
        "log_loss": float(weight @ losses(won, logits) / total),
        "brier": float(weight @ (probability - won) ** 2 / total),
        "ece": _calibration_error(won, probability, weight),
        "precision_at_10": top,
        "lift_at_10": float(top / rate) if rate else 0.0,
    }


def losses(won: npt.ArrayLike, logits: Floats) -> Floats:
    """The log-loss of each row, in nats."""
    return cast(Floats, np.logaddexp(0.0, logits) - np.asarray(won, dtype=np.float64) * logits)


def _steps(logits: Floats) -> Ints:
    """The last row of each group of equal scores."""
    return np.append(np.flatnonzero(np.diff(logits)), len(logits) - 1)


def _auc(won: Floats, logits: Floats, weight: Floats) -> float:
    at = _steps(logits)
    hits = np.append(0.0, np.cumsum(weight * won)[at])
    misses = np.append(0.0, np.cumsum(weight * (1 - won))[at])
    area = np.sum(np.diff(misses) * (hits[1:] + hits[:-1]) / 2)
    whole = hits[-1] * misses[-1]
    return float(area / whole) if whole else 0.5


def _average_precision(won: Floats, logits: Floats, weight: Floats) -> float:
    at = _steps(logits)
    hits, seen = np.cumsum(weight * won)[at], np.cumsum(weight)[at]
    if not hits[-1]:
        return 0.0
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
    return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])


def _precision_at(won: Floats, weight: Floats, share: float) -> float:
    seen = np.cumsum(weight)
    last = int(np.searchsorted(seen, share * seen[-1] * (1 - 1e-12)))
    return float((weight * won)[: last + 1].sum() / seen[last]) if seen[last] else 0.0


def _bins(weight: Floats) -> Ints:
    """Ten bins of equal weight, along the order of the scores."""
    part = (np.cumsum(weight) - weight / 2) / weight.sum()
    return cast(Ints, np.minimum((part * BINS).astype(np.int64), BINS - 1))


def _calibration_error(won: Floats, probability: Floats, weight: Floats) -> float:
    gaps = np.bincount(_bins(weight), weights=weight * (won - probability), minlength=BINS)
    return float(np.abs(gaps).sum() / weight.sum())


def _curve(won: Floats, probability: Floats, weight: Floats) -> Iterator[tuple[float, float, int]]:
    bins = _bins(weight)
    for number in range(BINS - 1, -1, -1):
        there = bins == number
        if there.any():
            share = weight[there] / weight[there].sum()
            yield float(share @ probability[there]), float(share @ won[there]), int(there.sum())


def newest(rows: int, share: float = NEWEST) -> tuple[Ints, Ints]:
    """The older rows to learn from and the newest to judge by, of rows in the order of time."""
    cut = int(round(rows * (1 - share)))
    return np.arange(cut), np.arange(cut, rows)


def repeated(won: Ints, *, folds: int = 5, repeats: int = 1) -> Iterator[tuple[Ints, Ints]]:
    """Stratified hold-outs: every row is judged once a repeat."""
    splitter = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=SEED)
    yield from splitter.split(np.zeros(len(won)), won)


def gate(trial: Trial) -> Verdict:
    """Whether the candidate is really better: paired log-loss on rows it has not seen.

    It must beat the base rate at 95 % confidence, which data without signal cannot, and the points
    at 95 % (an early model at 80 %); on the newest rows alone, too few to be sure, it must beat
    them at all. It must beat the model in service, and be calibrated.
    """
    newest_only = trial.label == "newest"
    sure = 0.5 if newest_only else SURE
    sure_of_points = SURE_EARLY if trial.label == "early" else sure
    won = trial.won
    own = losses(won, trial.candidate)
    weight = np.ones(len(won)) if trial.weight is None else trial.weight
    odds = np.log(trial.rate / (1 - trial.rate))
    against = losses(won, np.full(len(won), odds))
    checks = [_surely(own, against, weight, sure, "the base rate", "there may be no signal")]
    if trial.rules is not None:
        there = losses(won, trial.rules)
        checks.append(_surely(own, there, weight, sure_of_points, "the points", "they do as well"))
    if trial.incumbent is not None:
        checks.append(_no_worse(own, losses(won, trial.incumbent), weight))
    checks.append(_calibrated(won, trial.candidate, weight))
    return Verdict(all(good for good, _ in checks), tuple(sentence for _, sentence in checks))


def _surely(
    own: Floats, other: Floats, weight: Floats, sure: float, what: str, doubt: str
) -> tuple[bool, str]:
    """Whether the mean gain is above 0 at this confidence (one-sided)."""
    gain, error = _paired(other - own, weight)
    limit = float(norm.ppf(sure))
    good = gain > 0 and gain > limit * error
    chance = f" (± {limit * error:.4f} at {sure:.0%})" if sure > 0.5 else ""
    word = f"gains {gain:+.4f} nats a lead on {what}{chance}"
    return good, f"It {word}{'' if good else ': too little, ' + doubt}."


def _paired(gains: Floats, weight: Floats) -> tuple[float, float]:
    total = weight.sum()
    mean = float(weight @ gains / total)
    return mean, float(np.sqrt(weight**2 @ (gains - mean) ** 2) / total)


def _no_worse(own: Floats, other: Floats, weight: Floats) -> tuple[bool, str]:
    gain, error = _paired(other - own, weight)
    word = f"{gain:+.4f} nats a lead against the model in service (± {error:.4f})"
    return gain > 0, f"It gains {word}." if gain > 0 else f"It is no better: {word}."


def _calibrated(won: Ints, logits: Floats, weight: Floats) -> tuple[bool, str]:
    probability = expit(logits)
    error = np.sqrt(weight**2 @ (probability * (1 - probability)))
    off = float(weight @ (won - probability) / max(error, TINY))
    said = f"{weight @ probability / weight.sum():.1%} said, {weight @ won / weight.sum():.1%} seen"
    if abs(off) <= MOST_OFF:
        return True, f"It is calibrated in the large ({said})."
    return False, f"It is not calibrated in the large ({said})."
