"""What counts as an outcome, when it is ripe, and how likely each was to be seen at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import numpy as np
import numpy.typing as npt

from errors import Invalid

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# A lead that was silent for so long has said no, even where nobody wrote it down.
SILENCE = timedelta(days=180)
FEWEST_WINS_FOR_WINDOW = 20
# No single lead may count more than so many others.
HEAVIEST = 20.0


@dataclass(frozen=True)
class Case:
    """A lead as the record of its outcome: seen at a moment, decided at another or not yet."""

    lead: str
    seen_at: datetime
    won: bool | None = None
    decided_at: datetime | None = None
    propensity: float = 1.0


@dataclass(frozen=True)
class Labels:
    """The cases that may be learned from, in the order of time, and what was left out and why."""

    cases: tuple[Case, ...]
    won: Ints
    weights: Floats
    left_out: tuple[str, ...]


def ripe(cases: Sequence[Case], now: datetime, *, silence: timedelta | None = None) -> Labels:
    """The outcomes to learn from: one a lead, decided by now, and after the lead was seen.

    A lead without an outcome counts as lost once it is older than nearly all wins ever were when
    they were won, and as nothing before: who is still being talked to is no loss.
    """
    notes: list[str] = []
    latest = _one_a_lead(cases, notes)
    window = silence or patience(latest)
    kept: list[tuple[Case, int]] = []
    future = before = unripe = 0
    for case in latest:
        if case.decided_at is not None and case.decided_at > now:
            future += 1
        elif case.decided_at is not None and case.decided_at < case.seen_at:
            before += 1
        elif case.won is not None:
            kept.append((case, int(case.won)))
        elif now - case.seen_at >= window:
            kept.append((case, 0))
        else:
            unripe += 1
    notes += _sentences(future, before, unripe)
    kept.sort(key=lambda it: (it[0].seen_at, it[0].lead))
    weights = inverse_weights(np.array([case.propensity for case, _ in kept], dtype=np.float64))
    won = np.array([value for _, value in kept], dtype=np.int64)
    return Labels(tuple(case for case, _ in kept), won, weights, tuple(notes))


def _sentences(future: int, before: int, unripe: int) -> list[str]:
    said = (
        (future, "outcomes lie in the future and are left out."),
        (before, "outcomes are older than what is known of their lead and are left out."),
        (unripe, "leads have no outcome yet and are too young to count as lost."),
    )
    return [f"{count:,} {words}" for count, words in said if count]


def _one_a_lead(cases: Sequence[Case], notes: list[str]) -> list[Case]:
    """The last case of each lead."""
    last: dict[str, Case] = {}
    for case in sorted(cases, key=lambda it: (it.decided_at or it.seen_at, it.seen_at)):
        last[case.lead] = case
    if len(last) < len(cases):
        notes.append(f"{len(cases) - len(last):,} rows repeat a lead; its last one counts.")
    return list(last.values())


def patience(cases: Sequence[Case]) -> timedelta:
    """How long a lead may still be won: 95 % of all wins came sooner."""
    took = [
        (case.decided_at - case.seen_at).total_seconds()
        for case in cases
        if case.won and case.decided_at is not None and case.decided_at >= case.seen_at
    ]
    if len(took) < FEWEST_WINS_FOR_WINDOW:
        return SILENCE
    return timedelta(seconds=float(np.quantile(took, 0.95)))


def outcomes(values: Sequence[object], won_values: Sequence[str]) -> Ints:
    """A column of words as outcomes, 1 for won; a sentence where there is nothing to learn from."""
    wins = {value.strip().lower() for value in won_values}
    won = np.array([str(value).strip().lower() in wins for value in values], dtype=np.int64)
    check_outcomes(won)
    return won


def check_outcomes(won: Ints) -> None:
    """Refuse what no model can learn from."""
    if not len(won):
        raise Invalid("There is no outcome to learn from yet.", code="no_outcomes")
    odd = set(np.unique(won).tolist()) - {0, 1}
    if odd:
        raise Invalid(f"An outcome is won (1) or lost (0), not {sorted(odd)[0]}.")
    if won.min() == won.max():
        kind = "won" if won[0] else "lost"
        raise Invalid(
            f"All {len(won):,} outcomes are {kind}: there must be both kinds to learn from.",
            code="one_kind_of_outcome",
        )


def propensities(scores: Floats, *, capacity: int, lane: float = 0.05) -> Floats:
    """How likely each lead is to be called: the best by score surely, the others by a fair chance.

    A share `lane` of the calls is drawn among all others, so that the model also hears of leads
    that it thinks little of; written down, it lets an evaluation undo the choice.
    """
    capacity = max(0, min(capacity, len(scores)))
    drawn = int(round(capacity * lane)) if capacity < len(scores) else 0
    sure = capacity - drawn
    chance = drawn / (len(scores) - sure) if len(scores) > sure else 0.0
    out = np.full(len(scores), chance)
    out[np.argsort(-scores, kind="stable")[:sure]] = 1.0
    return out


def inverse_weights(propensity: Floats) -> Floats:
    """What each outcome counts, so that leads who were seldom called speak for their like."""
    if not len(propensity):
        return propensity
    if not np.all((propensity > 0) & (propensity <= 1)):
        raise Invalid("A propensity is above 0 and at most 1.")
    weights = np.minimum(1.0 / propensity, HEAVIEST)
    return cast(Floats, weights / weights.mean())
