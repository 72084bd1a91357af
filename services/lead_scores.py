"""LeadScores: what every scoring profile makes of a lead, now and as last stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.orm import Session

import outbox
from engine.alert_rules import LeadState, crossing
from engine.alert_settings import AlertSettings
from engine.points import Part, advice_for, profile_score, profile_tiers, tier_for
from engine.signals import Signals, Timed, employees_of, signals_of
from engine.vocabulary import FactKind, Profile, Tier
from lib.clock import iso
from many_rows import insert_new
from models import Event, Lead, LeadScore, ScorePoint, WorkspaceSetting
from notification_service import ALERTS
from outbox import NewFact
from services.lead_family import LeadFamily
from services.pipeline_stages import PipelineStages
from services.resources import Resources
from services.workspace_settings import keep_setting
from services.workflow_service import WorkflowService

CONNECTED = "connected_sources"
# A score that moves by less than this is the same for people who look at its history.
NOTABLE = 1.0
# Before the first computation; further from any score than NOTABLE.
NOTHING = -1.0
COMPUTED = (Profile.CORE_POINTS, Profile.CRM_RULES, Profile.ENGAGEMENT_WEIGHTED)


@dataclass(frozen=True)
class Standing:
    """One profile's score of a lead, with what it is made of."""

    score: float
    tier: Tier
    coverage: float
    parts: Sequence[Part] = ()
    left_out: Sequence[str] = ()


@dataclass(frozen=True)
class Queue:
    """What `score` and `score_category` of a lead speak of."""

    profile: Profile
    hot: float
    warm: float

    def column(self) -> ColumnElement[Any]:
        """The score as a statement over leads reads it, as last stored; 0 where there is none."""
        if self.profile == Profile.CORE_POINTS:
            return Lead.lead_score.expression
        if self.profile == Profile.ML_PROBABILITY:
            return func.round(func.coalesce(Lead.probability, 0.0) * 1000) / 10
        stored = select(func.round(LeadScore.score * 10) / 10).where(
            LeadScore.lead_id == Lead.id, LeadScore.profile == str(self.profile)
        )
        return func.coalesce(stored.scalar_subquery(), 0.0)

    def tier(self, score: float) -> Tier:
        """How soon somebody should call at this score."""
        return tier_for(score, hot=self.hot, warm=self.warm)


class LeadScores:
    """The scores of leads beside the points of their sessions; each a sum one can read."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    @cached_property
    def settings(self) -> AlertSettings:
        """What people have configured about alerts and the queue; read once for this use case."""
        stored = self.session.get(WorkspaceSetting, ALERTS)
        return AlertSettings.from_plain(stored.value if stored else {})

    def tiers(self, profile: Profile) -> tuple[float, float]:
        """From which score on a lead is hot and warm in a profile.

        The queue's own thresholds come from the stored configuration, else from the environment;
        those of every other profile are its own.
        """
        settings = self.settings
        if settings.queue_profile != profile:
            return self._shipped(profile)
        return settings.tiers(self.tiers_otherwise(profile))

    def tiers_otherwise(self, profile: Profile) -> tuple[float, float]:
        """The queue's thresholds in a profile where the stored configuration sets none."""
        hot, warm = self._shipped(profile)
        named = self.resources.settings
        hot = hot if named.HOT_LEAD_THRESHOLD is None else named.HOT_LEAD_THRESHOLD
        warm = warm if named.WARM_LEAD_THRESHOLD is None else named.WARM_LEAD_THRESHOLD
        return hot, warm

    def queue(self) -> Queue:
        """The profile that the queue is sorted by, with its thresholds."""
        profile = self.settings.queue_profile
        hot, warm = self.tiers(profile)
        return Queue(profile, hot, warm)

    def in_queue(self, lead: Lead) -> float:
        """The score of one lead in the profile of the queue, at this moment."""
        profile = self.settings.queue_profile
        if profile == Profile.CORE_POINTS:
            return lead.lead_score
        if profile == Profile.ML_PROBABILITY:
            return round(100 * (lead.probability or 0.0), 1)
        return round(self._standings([lead])[lead.id][profile].score, 1)

    def find(self, lead: Lead) -> dict[str, dict[str, Any]]:
        """Every profile's score of a lead at this moment, part by part."""
        standings = self._standings([lead])[lead.id]
        if lead.probability is not None:
            standings[Profile.ML_PROBABILITY] = self._by_model(lead.probability)
        return {str(profile): _view(standing) for profile, standing in standings.items()}

    def renew(self, lead_id: int) -> None:
        """Compute and store a lead's scores; a change of tier is a fact."""
        self.renew_many([lead_id])

    def renew_many(self, lead_ids: Sequence[int]) -> int:
        """The same for a batch of leads; how many changed notably."""
        there = (Lead.id.in_(lead_ids), Lead.deleted_at.is_(None))
        kept = self._kept(self.session.scalars(select(Lead.id).where(*there)).all())
        # Read under the locks: who had waited for them would store an older score over a newer.
        leads = self.session.scalars(
            select(Lead).where(*there).order_by(Lead.id),
            execution_options={"populate_existing": True},
        ).all()
        standings = self._standings(leads)
        hot = {profile: self.tiers(profile)[0] for profile in COMPUTED}
        notable = sum(
            self._store(lead, profile, standing, kept[lead.id, str(profile)], hot[profile])
            for lead in leads
            for profile, standing in standings[lead.id].items()
        )
        self.session.flush()
        return notable

    def without_talk(self, signals: Signals) -> dict[Profile, Standing]:
        """The scores of a lead that has these signals and no points yet."""
        seen = replace(signals, connected=signals.connected | self._sources)
        return {profile: _standing(profile, 0, seen, self.tiers(profile)) for profile in COMPUTED}

    def history(self, lead_id: int) -> list[dict[str, Any]]:
        """How a lead's scores went, the oldest first."""
        rows = self.session.scalars(
            select(ScorePoint).where(ScorePoint.lead_id == lead_id).order_by(ScorePoint.id)
        )
        return [
            {
                "profile": row.kind,
                "score": round(row.score, 1),
                "tier": row.tier,
                "recorded_at": iso(row.recorded_at),
            }
            for row in rows
        ]

    # Computing

    def _shipped(self, profile: Profile) -> tuple[float, float]:
        if profile != Profile.CORE_POINTS:
            return profile_tiers(profile)
        return self._core_tiers

    @cached_property
    def _core_tiers(self) -> tuple[float, float]:
        workflow = WorkflowService(self.session, self.resources).in_force().workflow
        return workflow.hot_threshold, workflow.warm_threshold

    def _standings(self, leads: Sequence[Lead]) -> dict[int, dict[Profile, Standing]]:
        signals = self._signals(leads)
        tiers = {profile: self.tiers(profile) for profile in COMPUTED}
        return {
            lead.id: {
                profile: _standing(profile, lead.lead_score, signals[lead.id], tiers[profile])
                for profile in COMPUTED
            }
            for lead in leads
        }

    def _by_model(self, probability: float) -> Standing:
        """A probability as a score; its parts are the explanation beside it."""
        hot, warm = self.tiers(Profile.ML_PROBABILITY)
        score = 100 * probability
        return Standing(score, tier_for(score, hot=hot, warm=warm), 1.0)

    def _facts(self, lead_ids: Sequence[int]) -> dict[int, list[Timed]]:
        columns = (Event.kind, Event.measured, Event.occurred_at)
        found: dict[int, list[Timed]] = {}
        for lead_id, row in LeadFamily(self.session).facts_by_lead(lead_ids, *columns):
            found.setdefault(lead_id, []).append(Timed(*row))
        return found

    def _signals(self, leads: Sequence[Lead]) -> dict[int, Signals]:
        """What every lead's facts come to now, seen with the sources that the workspace has."""
        facts, now = self._facts([lead.id for lead in leads]), self.resources.clock.now()
        pipeline = PipelineStages(self.session, self.resources).in_force()
        signals = {
            lead.id: signals_of(
                facts.get(lead.id, []),
                now,
                stage_place=pipeline.place(lead.stage),
                employees=employees_of(lead.staff_size, lead.attributes),
            )
            for lead in leads
        }
        connected = self._connected(signals.values())
        return {key: replace(one, connected=connected) for key, one in signals.items()}

    def _connected(self, signals: Iterable[Signals]) -> frozenset[str]:
        """The sources that this workspace ever heard from; remembered, for facts are many."""
        stored = self.session.get(WorkspaceSetting, CONNECTED)
        known = frozenset(stored.value["sources"]) if stored else frozenset[str]()
        seen = known.union(*(one.connected for one in signals))
        if seen != known and self._may_write():
            keep_setting(
                self.session,
                CONNECTED,
                {"sources": sorted(seen)},
                by="relay",
                now=self.resources.clock.now(),
            )
        return seen

    @cached_property
    def _sources(self) -> frozenset[str]:
        return self._connected(())

    def _may_write(self) -> bool:
        return not self.session.connection().get_execution_options().get("read_only")

    # Storing

    def _kept(self, lead_ids: Sequence[int]) -> dict[tuple[int, str], LeadScore]:
        """The stored scores under their locks, made where there are none; in one order."""
        self._make(lead_ids)
        rows = self.session.scalars(
            select(LeadScore)
            .where(LeadScore.lead_id.in_(lead_ids))
            .order_by(LeadScore.lead_id, LeadScore.profile)
            .with_for_update(),
            execution_options={"populate_existing": True},
        )
        return {(row.lead_id, row.profile): row for row in rows}

    def _make(self, lead_ids: Sequence[int]) -> None:
        rows = self.session.execute(
            select(LeadScore.lead_id, LeadScore.profile).where(LeadScore.lead_id.in_(lead_ids))
        )
        have = {(lead_id, profile) for lead_id, profile in rows}
        now = self.resources.clock.now()
        new = [
            {
                "lead_id": lead_id,
                "profile": str(profile),
                "score": NOTHING,
                "tier": str(Tier.COLD),
                "coverage": 0.0,
                "armed": True,
                "crossings": 0,
                "computed_at": now,
            }
            for lead_id in lead_ids
            for profile in COMPUTED
            if (lead_id, str(profile)) not in have
        ]
        insert_new(self.session, LeadScore, new)

    def _store(
        self, lead: Lead, profile: Profile, standing: Standing, kept: LeadScore, hot: float
    ) -> bool:
        """Whether a score moved so far that people would notice."""
        now, before = self.resources.clock.now(), kept.tier
        state = LeadState(
            lead.id, lead.lead_classification, True, kept.score, kept.armed, kept.crossings
        )
        crossed = crossing(state, standing.score, hot)
        notable = abs(kept.score - standing.score) >= NOTABLE or before != standing.tier
        kept.score, kept.tier, kept.coverage = standing.score, str(standing.tier), standing.coverage
        kept.armed, kept.crossings, kept.computed_at = crossed.armed, crossed.crossings, now
        if notable:
            self._note(lead.id, profile, standing, now)
        if before != standing.tier or crossed.became_hot:
            measured = {
                "profile": str(profile),
                "from": before,
                "to": str(standing.tier),
                "score": round(standing.score, 1),
                "crossing": crossed.crossings if crossed.became_hot else None,
            }
            fact = NewFact(FactKind.TIER_CHANGED, now, measured, lead_id=lead.id)
            outbox.record(self.session, fact)
        return notable

    def _note(self, lead_id: int, profile: Profile, standing: Standing, now: datetime) -> None:
        row = _point(lead_id, profile, standing, now)
        self.session.execute(insert(ScorePoint).values(row))


def _point(lead_id: int, profile: Profile, standing: Standing, now: datetime) -> dict[str, Any]:
    return {
        "lead_id": lead_id,
        "kind": str(profile),
        "score": standing.score,
        "tier": str(standing.tier),
        "recorded_at": now,
    }


def _standing(
    profile: Profile, points: int, signals: Signals, tiers: tuple[float, float]
) -> Standing:
    if profile == Profile.CORE_POINTS:
        hot, warm = tiers
        return Standing(points, tier_for(points, hot=hot, warm=warm), 1.0)
    made = profile_score(profile, signals, tiers=tiers)
    return Standing(made.score, made.tier, made.coverage, made.parts, made.left_out)


def _view(standing: Standing) -> dict[str, Any]:
    """A profile's score as the wire shows it: rounded for people, its parts exact."""
    advice = advice_for(standing.tier)
    return {
        "score": round(standing.score, 1),
        "tier": str(standing.tier),
        "coverage": round(standing.coverage, 4),
        "action": advice.action,
        "hours": advice.hours,
        "parts": [
            {
                "signal": part.signal,
                "label": part.label,
                "value": part.value,
                "weight": part.weight,
                "points": part.points,
            }
            for part in standing.parts
        ],
        "left_out": list(standing.left_out),
    }
