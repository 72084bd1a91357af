"""LeadMoment: a lead as it stood at a past moment, computed anew from what was known then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.journey import Fact
from engine.points import profile_score, tier_for
from engine.replay import Outcome, replay
from engine.signals import Timed, employees_of, signals_of
from engine.vocabulary import FactKind, Profile, Tier
from models import Conversation, Event, ScorePoint, WorkspaceSetting
from services.lead_scores import CONNECTED, LeadScores
from services.lead_story import ToldLead
from services.pipeline_stages import PipelineStages
from services.resources import Resources


@dataclass(frozen=True)
class ProfileThen:
    """What a scoring profile made of the lead then."""

    profile: Profile
    score: float
    tier: Tier


@dataclass(frozen=True)
class Then:
    """A lead at a moment: all of it from facts that were written down by then."""

    at: datetime
    facts: int
    score: int
    classification: str
    # How many of the ledger's rows stood then.
    awards: int
    stage: str
    outcome: str | None
    profiles: Sequence[ProfileThen]
    # As a model said it then; a probability is stored and not computed anew.
    probability: float | None


class LeadMoment:
    """Goes back in time with one lead."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.scores = LeadScores(session, resources)

    def find(self, told: ToldLead, at: datetime) -> Then:
        """The lead as it was known at a moment; thresholds and stages are those of today."""
        facts = [fact for fact in told.facts if fact.recorded_at <= at]
        best = self._best(told, facts)
        pipeline = PipelineStages(self.session, self.resources).in_force()
        stage, outcome = _standing(facts)
        place = pipeline.place(stage)
        return Then(
            at=at,
            facts=len(facts),
            score=best.score if best else 0,
            classification=str(best.classification) if best else "Unqualified",
            awards=len(best.rows) if best else 0,
            stage=stage or pipeline.first.name,
            outcome=outcome,
            profiles=self._profiles(told, facts, at, best.score if best else 0, place),
            probability=self._probability(told.lead.id, at),
        )

    def _best(self, told: ToldLead, facts: Sequence[Event]) -> Outcome | None:
        outcomes = [self._replayed(told, talk, facts) for talk in told.conversations]
        there = [one for one in outcomes if one is not None]
        return max(there, key=lambda one: one.score, default=None)

    def _replayed(
        self, told: ToldLead, talk: Conversation, facts: Sequence[Event]
    ) -> Outcome | None:
        mine = [
            Fact(fact.seq, fact.kind, fact.measured)
            for fact in facts
            if fact.session_id == talk.id and fact.seq is not None
        ]
        return replay(mine, told.workflow_of(talk), told.workflows.get) if mine else None

    def _profiles(
        self,
        told: ToldLead,
        facts: Sequence[Event],
        at: datetime,
        points: int,
        place: float | None,
    ) -> list[ProfileThen]:
        stored = self.session.get(WorkspaceSetting, CONNECTED)
        signals = signals_of(
            [Timed(fact.kind, fact.measured, fact.occurred_at) for fact in facts],
            at,
            stage_place=place,
            employees=employees_of(told.lead.staff_size, told.lead.attributes),
            connected=frozenset(stored.value["sources"]) if stored else frozenset(),
        )
        hot, warm = self.scores.tiers(Profile.CORE_POINTS)
        core = ProfileThen(Profile.CORE_POINTS, points, tier_for(points, hot=hot, warm=warm))
        found = [core]
        for profile in (Profile.CRM_RULES, Profile.ENGAGEMENT_WEIGHTED):
            made = profile_score(profile, signals, tiers=self.scores.tiers(profile))
            found.append(ProfileThen(profile, round(made.score, 1), made.tier))
        return found

    def _probability(self, lead_id: int, at: datetime) -> float | None:
        found = self.session.scalars(_said_by_model(lead_id, at)).first()
        return None if found is None else found / 100


def _said_by_model(lead_id: int, at: datetime) -> Any:
    return (
        select(ScorePoint.score)
        .where(
            ScorePoint.lead_id == lead_id,
            ScorePoint.kind == str(Profile.ML_PROBABILITY),
            ScorePoint.recorded_at <= at,
        )
        .order_by(ScorePoint.recorded_at.desc(), ScorePoint.id.desc())
        .limit(1)
    )


def _standing(facts: Sequence[Event]) -> tuple[str | None, str | None]:
    """The stage and the outcome that the facts come to."""
    stage: str | None = None
    outcome: str | None = None
    for fact in facts:
        if fact.kind == FactKind.LEAD_STAGED:
            stage = fact.measured.get("to")
            outcome = None if fact.measured.get("reopened") else outcome
        elif fact.kind == FactKind.OUTCOME_RECORDED and fact.measured.get("outcome"):
            outcome = str(fact.measured["outcome"])
    return stage, outcome
