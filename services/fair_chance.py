"""FairChance: which leads are worked whatever their score, and how likely each was to be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

import outbox
from engine.fair_chance import LANE, propensity, why_chosen
from engine.vocabulary import FactKind, Profile, Tier
from models import Event, Lead, LeadScore
from outbox import NewFact
from services.lead_family import LeadFamily
from services.lead_past import contact_kind
from services.lead_scores import LeadScores
from services.prediction_settings import PredictionSettings
from services.resources import Resources


class FairChance:
    """Writes down, once for each lead, why it was chosen for work and how likely that was."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def on_facts(self, lead_id: int, facts: Sequence[Event]) -> None:
        """A lead was given to somebody or contacted: the first time it was chosen."""
        chosen = next((fact for fact in facts if _is_choice(fact)), None)
        if chosen is None or self._is_told(lead_id):
            return
        lead = self.session.get(Lead, lead_id)
        if lead is None or lead.deleted_at is not None:
            return
        now = self.resources.clock.now()
        measured = {**self._standing(lead), "cause": chosen.id}
        outbox.record_once(
            self.session,
            NewFact(
                FactKind.LEAD_CHOSEN,
                chosen.occurred_at,
                measured,
                lead_id=lead_id,
                idempotency_key=_key(lead_id),
                recorded_at=now,
            ),
        )

    def _is_told(self, lead_id: int) -> bool:
        """Whether the lead was chosen before, or one that is part of it now: it is one person."""
        keys = [_key(one) for one in LeadFamily(self.session).members(lead_id)]
        told = select(Event.id).where(Event.idempotency_key.in_(keys)).limit(1)
        return self.session.scalar(told) is not None

    def _standing(self, lead: Lead) -> dict[str, Any]:
        """What the queue said of a lead, and its lot; warm leads are worked for their score."""
        queue = LeadScores(self.session, self.resources).queue()
        decided = PredictionSettings(self.session, self.resources).decided()
        score = self._score(lead, queue.profile)
        tier, lane = queue.tier(score), decided.lane_of(lead.id)
        choice = why_chosen(by_score=tier is not Tier.COLD, drawn=lane == LANE)
        return {
            "by": str(choice),
            "propensity": propensity(choice, decided.fair_chance_percent),
            "lane": lane,
            "percent": decided.fair_chance_percent,
            "profile": str(queue.profile),
            "score": round(score, 1),
            "tier": str(tier),
        }

    def _score(self, lead: Lead, profile: Profile) -> float:
        """As last stored: a call must not speak for itself."""
        if profile == Profile.CORE_POINTS:
            return lead.lead_score
        kept = self.session.get(LeadScore, (lead.id, str(profile)))
        return kept.score if kept is not None else 0.0


def _key(lead_id: int) -> str:
    return f"chosen:{lead_id}"


def _is_choice(fact: Event) -> bool:
    if fact.kind == FactKind.LEAD_ASSIGNED:
        return bool(fact.measured.get("to"))
    return contact_kind(fact.kind, fact.measured) is not None
