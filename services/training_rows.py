"""TrainingRows: leads as rows of named values, before they were decided or as they are now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.vocabulary import FactKind
from engine.workflow import Question
from models import Conversation, Event, Lead, UserBehavior
from services.lead_family import LeadFamily
from services.lead_past import MOMENT, LeadPast, PastAward, PastFact, row_of
from services.lead_visibility import is_visible
from services.resources import Resources
from services.workflow_service import WorkflowService

# A contact so shortly before the outcome is the one that decided it: it is no news about the lead.
DECIDING = timedelta(days=1)
# Who was heard of since is no lead that fell silent.
LEAST_SILENCE = timedelta(days=30)
# Facts that no row is made of; most of a log is answers and behaviours.
_UNREAD = (
    FactKind.LEAD_CLASSIFIED,
    FactKind.ANSWER_REASKED,
    FactKind.EXPERIMENT_EXPOSED,
    FactKind.LEAD_CHOSEN,
    FactKind.TIER_CHANGED,
    FactKind.EXPERIMENT_CONVERTED,
)

_READ: tuple[Any, ...] = (
    Event.id,
    Event.kind,
    Event.measured,
    Event.personal,
    Event.occurred_at,
    Event.recorded_at,
    Event.session_id,
    Event.seq,
    Event.workflow_version,
)

IsOurs = Callable[[str], bool]


@dataclass(frozen=True)
class Example:
    """One lead that a model may learn from: how it ended, and what was known before.

    `before_contact` is the lead before anybody spoke with it, `after_contact` at a moment drawn
    between the first contact and the one that decided it; None where there was none earlier.
    """

    lead_id: int
    won: bool | None
    seen_at: datetime
    decided_at: datetime | None
    before_contact: Mapping[str, Any]
    after_contact: Mapping[str, Any] | None = None
    # How likely it was to be chosen for work, where that is known.
    propensity: float = 1.0


@dataclass(frozen=True)
class Known:
    """A lead as it is known now, and whether anybody spoke with it."""

    lead_id: int
    row: Mapping[str, Any]
    contacted: bool


class TrainingRows:
    """Reads the facts of many leads at once."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.family = LeadFamily(session)
        self.workflows = WorkflowService(session, resources)

    def leads_after(self, lead_id: int, limit: int) -> list[int]:
        """The next visible leads by number."""
        return list(
            self.session.scalars(
                select(Lead.id)
                .where(Lead.id > lead_id, *is_visible())
                .order_by(Lead.id)
                .limit(limit)
            )
        )

    def count_leads(self) -> int:
        """How many leads there are to predict."""
        return self.session.scalar(select(func.count()).select_from(Lead).where(*is_visible())) or 0

    def examples(self, lead_ids: Sequence[int], is_ours: IsOurs) -> list[Example]:
        """What can be learned from these leads; of the undecided, only from who fell silent.

        Previews, crawlers and who was erased teach nothing about customers.
        """
        strange, chances = self._strange(lead_ids), self._propensities(lead_ids)
        now = self.resources.clock.now()
        made = (
            self._example(past, now, is_ours)
            for past in self._pasts(lead_ids).values()
            if past.lead_id not in strange and past.facts
        )
        return [
            replace(one, propensity=chances.get(one.lead_id, 1.0))
            for one in made
            if one is not None
        ]

    def known(self, lead_ids: Sequence[int], is_ours: IsOurs) -> list[Known]:
        """The leads as they are known at this moment."""
        return [
            Known(past.lead_id, row_of(past, self._question, is_ours), bool(past.contacts()))
            for past in self._pasts(lead_ids).values()
        ]

    def _example(self, past: LeadPast, now: datetime, is_ours: IsOurs) -> Example | None:
        end = past.outcome()
        heard = max(fact.recorded_at for fact in past.facts)
        if end is None:
            if now - heard < LEAST_SILENCE:
                return None
            before, after = self._halves(past, None, is_ours)
            return Example(past.lead_id, None, heard, None, before, after)
        fact, won, at = end
        before, after = self._halves(past.before(fact, at), at, is_ours)
        seen = min(before[MOMENT] or at, at)
        return Example(past.lead_id, won, seen, at, before, after)

    def _halves(
        self, known: LeadPast, decided_at: datetime | None, is_ours: IsOurs
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The lead before the first contact, and at a moment since, if there was one."""
        contacts = known.contacts()
        if not contacts:
            return row_of(known, self._question, is_ours), None
        untouched = known.before(contacts[0], contacts[0].occurred_at)
        last = contacts[-1]
        if decided_at is not None and decided_at - last.occurred_at <= DECIDING:
            known = known.before(last, last.occurred_at)
        before = row_of(untouched, self._question, is_ours)
        drawn = known.drawn_after_contact()
        return before, row_of(drawn, self._question, is_ours) if drawn else None

    def _question(self, version: int | None, question_id: int) -> Question | None:
        if version is None:
            return None
        return self.workflows.get(version).find_question(question_id)

    # Reading

    def _pasts(self, lead_ids: Sequence[int]) -> dict[int, LeadPast]:
        facts: dict[int, list[PastFact]] = {lead_id: [] for lead_id in lead_ids}
        rows = self.family.facts_by_lead(lead_ids, *_READ, only=Event.kind.not_in(_UNREAD))
        for lead_id, (number, kind, measured, personal, *rest) in rows:
            facts[lead_id].append(PastFact(number, kind, measured, personal or {}, *rest))
        for theirs in facts.values():
            theirs.sort(key=lambda fact: fact.id)
        awards = self._awards(lead_ids)
        return {one: LeadPast(one, theirs, awards.get(one, ())) for one, theirs in facts.items()}

    def _awards(self, lead_ids: Sequence[int]) -> dict[int, list[PastAward]]:
        rows = self.session.execute(
            select(
                Conversation.lead_id,
                UserBehavior.session_id,
                UserBehavior.event_seq,
                UserBehavior.behavior_type,
                UserBehavior.score_impact,
            )
            .join(UserBehavior, UserBehavior.session_id == Conversation.id)
            .where(Conversation.lead_id.in_(lead_ids))
        )
        found: dict[int, list[PastAward]] = {}
        for lead_id, session_id, seq, action, points in rows:
            found.setdefault(lead_id, []).append(PastAward(session_id, seq, action, points))
        return found

    def _propensities(self, lead_ids: Sequence[int]) -> dict[int, float]:
        """How likely leads were to be chosen for work, of those where a rule chose.

        Of leads that became one the first choice counts: it was the one that brought them work.
        """
        rows = self.family.facts_by_lead(
            lead_ids, Event.id, Event.measured, only=Event.kind == FactKind.LEAD_CHOSEN
        )
        first: dict[int, Mapping[str, Any]] = {}
        for lead_id, (_, measured) in sorted(rows, key=lambda row: row[1][0]):
            first.setdefault(lead_id, measured)
        return {
            lead_id: float(measured["propensity"])
            for lead_id, measured in first.items()
            if measured.get("propensity")
        }

    def _strange(self, lead_ids: Sequence[int]) -> set[int]:
        suspicious = select(Conversation.lead_id).where(
            Conversation.lead_id.in_(lead_ids), Conversation.suspicion.is_not(None)
        )
        erased = self.family.facts_by_lead(
            lead_ids, Event.id, only=Event.kind == FactKind.LEAD_ERASED
        )
        return {*self.session.scalars(suspicious), *(lead_id for lead_id, _ in erased)}
