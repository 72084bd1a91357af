"""WorkLog: what sales did with a lead, its scores renewed at once, and what that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.vocabulary import Profile
from models import Lead
from services.diary_service import DiaryService, NewActivity
from services.lead_scores import LeadScores
from services.model_store import ModelStore
from services.prediction_service import PredictionService
from services.resources import Resources

NAMES = {
    Profile.CORE_POINTS: "Points",
    Profile.CRM_RULES: "CRM score",
    Profile.ENGAGEMENT_WEIGHTED: "Engagement score",
    Profile.ML_PROBABILITY: "Model score",
}
# Below this, people would read the same number.
SHOWN, WHOLE = 0.05, 0.5


@dataclass(frozen=True)
class Change:
    """How one profile's score moved, and which of its parts moved it."""

    profile: str
    name: str
    before: float
    after: float
    tier_before: str
    tier_after: str
    # Whether the profile hears of another source of signals now, so that each part weighs anew.
    is_reweighed: bool
    parts: Sequence[tuple[str, float]]

    @property
    def sentence(self) -> str:
        """The change in words: "CRM score 64 → 69: engagement +5"."""
        if self.profile == Profile.ML_PROBABILITY:
            return f"Chance to win {self.before:.0f} % → {self.after:.0f} %"
        why = ", ".join(f"{label} {points:+g}" for label, points in self.parts)
        tier = "" if self.tier_before == self.tier_after else f", now {self.tier_after}"
        anew = " (a new source of signals: every part weighs anew)" if self.is_reweighed else ""
        moved = f"{self.name} {self.before:g} → {self.after:g}{tier}"
        return f"{moved}: {why}{anew}" if why else moved


class WorkLog:
    """Keeps an activity and tells what it did to the scores."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def log(self, lead_id: int, told: NewActivity, *, actor: str) -> list[Change]:
        """What changed by an activity; that of the queue's profile comes first, if it did."""
        scores = LeadScores(self.session, self.resources)
        # Scores before leads, as whoever renews them locks them; else two would wait for another.
        scores.renew(lead_id)
        before = self._find(scores, lead_id)
        DiaryService(self.session, self.resources).log_activity(lead_id, told, actor=actor)
        self.session.flush()
        scores.renew(lead_id)
        if str(Profile.ML_PROBABILITY) in before:
            self._predict(lead_id)
        chief = scores.queue().profile
        found = changes(before, self._find(scores, lead_id), chief)
        return sorted(found, key=lambda one: one.profile != chief)

    def _predict(self, lead_id: int) -> None:
        """Renew the probability of a lead that has one; elsewhere, and later, the relay does it.

        Not where no model was read yet: a request never waits for scikit-learn.
        """
        models = ModelStore(self.session, self.resources).in_service()
        if models is not None:
            predictions = PredictionService(self.session, self.resources)
            predictions.predict([lead_id], models, news=True)

    def _find(self, scores: LeadScores, lead_id: int) -> Mapping[str, Mapping[str, Any]]:
        lead = self.session.scalar(select(Lead).where(Lead.id == lead_id))
        return scores.find(lead) if lead is not None else {}


def changes(
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    chief: Profile,
) -> list[Change]:
    """The profiles whose score people would see move; the `chief` is the one that ranks leads."""
    found = []
    for profile, new in after.items():
        old = before.get(profile)
        least = WHOLE if profile == Profile.ML_PROBABILITY else SHOWN
        if old is None or abs(new["score"] - old["score"]) < least:
            continue
        found.append(
            Change(
                profile,
                "Score" if profile == chief else NAMES[Profile(profile)],
                old["score"],
                new["score"],
                old["tier"],
                new["tier"],
                old["coverage"] != new["coverage"],
                _moved(old["parts"], new["parts"]),
            )
        )
    return found


def _moved(old: Sequence[Any], new: Sequence[Any]) -> list[tuple[str, float]]:
    """The parts that moved, the largest first."""
    was = {part["signal"]: part["points"] for part in old}
    moved = [
        (
            part["signal"].replace("_", " "),
            round(part["points"] - was.get(part["signal"], 0.0), 1),
        )
        for part in new
    ]
    return sorted((one for one in moved if one[1]), key=lambda one: -abs(one[1]))
