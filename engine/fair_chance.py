"""The fair-chance lane: who is worked whatever the score, and how likely anybody was to be chosen.

Outcomes exist mainly for leads that were called, and those were called for their score. A few per
cent, drawn by lot, are worked all the same; so a model hears of the others, too, and a propensity
written down lets an evaluation undo the choice.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

LANE = "fair_chance"
MOST_PERCENT = 20.0


class Choice(StrEnum):
    """Why a lead was chosen for work."""

    SCORE = "score"
    CHANCE = "chance"
    JUDGEMENT = "judgement"


def lot(seed: str, lead_id: int) -> float:
    """A lead's lot, from 0 to below 1: the same whenever one asks, and no score is in it."""
    digest = hashlib.sha256(f"{seed}:{lead_id}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def is_drawn(seed: str, lead_id: int, percent: float) -> bool:
    """Whether a lead is in the lane; who was drawn stays so when the share grows."""
    return lot(seed, lead_id) * 100 < percent


def why_chosen(*, by_score: bool, drawn: bool) -> Choice:
    """What speaks for a lead: its score, else its lot, else only who chose it."""
    if by_score:
        return Choice.SCORE
    return Choice.CHANCE if drawn else Choice.JUDGEMENT


def propensity(choice: Choice, percent: float) -> float | None:
    """How likely a lead was to be chosen by this rule; None where a person knew something else."""
    if choice is Choice.SCORE:
        return 1.0
    return percent / 100 if choice is Choice.CHANCE else None
