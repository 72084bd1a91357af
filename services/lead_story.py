"""LeadStory: one lead told from its facts: conversations, points award by award, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.fact_words import Chapter, tell
from engine.ledger_words import award_words
from engine.transcript import Line, Said, transcript
from engine.vocabulary import Action, FactKind
from engine.workflow import Workflow
from errors import NotFound, unknown_lead
from models import Conversation, Event, Lead, UserBehavior
from services.lead_family import LeadFamily
from services.lead_visibility import is_visible
from services.profile import masked_profile, profile_values
from services.resources import Resources
from services.workflow_service import WorkflowService

PAGE = 60
_OF_AN_ANSWER = (Action.ANSWERED_QUESTION, Action.QUICK_REPLY, Action.DETAILED_ANSWER)
# Whose personal half sales wrote itself.
_NOTED = (FactKind.ACTIVITY_LOGGED, FactKind.FOLLOW_UP_SET)


@dataclass(frozen=True)
class Talk:
    """One conversation as the visitor saw it, and what it was pinned to."""

    reference: str
    version: int
    points_version: int
    variants: Sequence[tuple[str, str]]
    locale: str | None
    surface: str
    source: Mapping[str, str]
    suspicion: str | None
    started_at: datetime
    completed_at: datetime | None
    closed_at: datetime | None
    score: int
    classification: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Award:
    """One step of the points: what it was for, what caused it, and the sum before and after."""

    text: str
    cause: str
    points: int
    before: int
    after: int
    version: int
    at: datetime


@dataclass(frozen=True)
class Entry:
    """One line of the history."""

    id: int
    chapter: Chapter
    text: str
    moments: Sequence[str]
    note: str | None
    actor: str | None
    at: datetime
    # When it was written down, where that was notably later.
    told_at: datetime | None


class LeadStory:
    """What happened to a lead; read once, told in several ways."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.workflows = WorkflowService(session, resources)

    def of(self, lead_id: int) -> ToldLead:
        """The story of a lead; NotFound where there is none that this person may see."""
        lead = self.session.scalar(select(Lead).where(Lead.id == lead_id, *is_visible()))
        if lead is None:
            raise unknown_lead()
        talks = self.session.scalars(
            select(Conversation)
            .where(Conversation.lead_id == lead_id)
            .order_by(Conversation.started_at, Conversation.id)
        ).all()
        ids = [one.id for one in talks]
        rows = self.session.scalars(
            select(UserBehavior).where(UserBehavior.session_id.in_(ids)).order_by(UserBehavior.id)
        ).all()
        return ToldLead(lead, self._facts(lead_id), talks, rows, self.workflows)

    def _facts(self, lead_id: int) -> Sequence[Event]:
        """What happened to it and to those that are part of it now: facts keep their lead."""
        mine = LeadFamily(self.session).facts(lead_id)
        return self.session.scalars(select(Event).where(mine).order_by(Event.id)).all()


class ToldLead:
    """A lead with all its facts at hand."""

    def __init__(
        self,
        lead: Lead,
        facts: Sequence[Event],
        talks: Sequence[Conversation],
        ledger: Sequence[UserBehavior],
        workflows: WorkflowService,
    ) -> None:
        self.lead = lead
        self.facts = facts
        self.conversations = talks
        self.ledger = ledger
        self.workflows = workflows

    @cached_property
    def best(self) -> Conversation | None:
        """The conversation whose score is the lead's."""
        return max(self.conversations, key=lambda one: (one.score, one.started_at), default=None)

    def workflow_of(self, talk: Conversation) -> Workflow:
        """What a conversation was pinned to, as its arms showed it."""
        return self.workflows.get(talk.workflow_version, talk.arms)

    def profile(self, *, full: bool) -> dict[str, Any]:
        """What is known of the person; unless `full`, so that nobody can tell who it is."""
        known = profile_values(self.lead)
        if full:
            return known
        workflow = self.workflow_of(self.best) if self.best else self.workflows.in_force().workflow
        chosen = {option.value for one in workflow.questions for option in one.options}
        return masked_profile(known, frozenset(chosen | {one.name for one in workflow.products}))

    def talks(self, *, full: bool) -> list[Talk]:
        """The conversations, the first one first."""
        return [self._talk(one, full=full) for one in self.conversations]

    def awards(self) -> list[Award]:
        """The points of the best conversation, step by step; their sum is the lead's score."""
        best = self.best
        if best is None:
            return []
        workflow = self.workflow_of(best)
        causes = {one.seq: one for one in self.facts if one.session_id == best.id}
        found, total = [], 0
        for row in self.ledger:
            if row.session_id != best.id:
                continue
            cause = causes.get(row.event_seq)
            # That an answer earned the points of that answer goes without saying.
            is_plain = row.score_impact > 0 and row.behavior_type in _OF_AN_ANSWER
            said = "" if cause is None else tell(cause.kind, cause.measured, workflow).text
            text = award_words(
                row.behavior_type, row.subject, row.score_impact, row.generation, workflow
            )
            before, total = total, total + row.score_impact
            found.append(
                Award(
                    text,
                    "" if is_plain or said == text else said,
                    row.score_impact,
                    before,
                    total,
                    row.workflow_version,
                    row.timestamp,
                )
            )
        return found

    def history(
        self, *, full: bool, chapter: str | None = None, before: int | None = None
    ) -> tuple[list[Entry], int | None]:
        """A page of what happened, the latest first, and where the next page begins."""
        known = {one.id: one for one in self.conversations}
        found: list[Entry] = []
        for fact in reversed(self.facts):
            if before is not None and fact.id >= before:
                continue
            talk = known.get(fact.session_id or "")
            entry = _entry(fact, self.workflow_of(talk) if talk else None, full=full)
            if chapter and entry.chapter != chapter:
                continue
            if len(found) == PAGE:
                return found, found[-1].id
            found.append(entry)
        return found, None

    def _talk(self, row: Conversation, *, full: bool) -> Talk:
        facts = [
            Said(fact.seq or 0, fact.kind, fact.measured, fact.personal or {}, fact.occurred_at)
            for fact in self.facts
            if fact.session_id == row.id and fact.seq is not None
        ]
        earned: dict[int, int] = {}
        for award in self.ledger:
            if award.session_id == row.id:
                seq = award.event_seq
                earned[seq] = earned.get(seq, 0) + award.score_impact
        workflow = self.workflow_of(row)
        lines = transcript(
            facts,
            workflow,
            row.locale,
            earned,
            full=full,
            open_question=None if row.closed_at else row.next_question_id,
        )
        utm = {name: getattr(row, name) for name in _SOURCES}
        return Talk(
            reference=row.public_ref,
            version=row.workflow_version,
            points_version=row.points_version,
            variants=[(name, arm.partition("~")[0]) for name, arm in sorted(row.arms.items())],
            locale=row.locale,
            surface=row.surface,
            source={name: value for name, value in utm.items() if value},
            suspicion=row.suspicion,
            started_at=row.started_at,
            completed_at=row.completed_at,
            closed_at=row.closed_at,
            score=row.score,
            classification=row.classification,
            lines=lines,
        )


_SOURCES = ("utm_source", "utm_medium", "utm_campaign", "referrer", "landing_page")


def read_chapter(word: str | None) -> str | None:
    """The chapter of a history that an address names; NotFound for one that there is not."""
    if not word:
        return None
    if word not in Chapter._value2member_map_:
        raise NotFound("There is no such part of a history.")
    return word


def _entry(fact: Event, workflow: Workflow | None, *, full: bool) -> Entry:
    told = tell(fact.kind, fact.measured, workflow)
    personal: Mapping[str, Any] = (fact.personal or {}) if full else {}
    said = personal.get("text") if fact.kind == FactKind.ANSWER_RECORDED else None
    note = personal.get("note") if fact.kind in _NOTED else said
    actor = fact.measured.get("actor")
    late = (fact.recorded_at - fact.occurred_at).total_seconds() > 60
    return Entry(
        id=fact.id,
        chapter=told.chapter,
        text=told.text,
        moments=told.moments,
        note=str(note) if note else None,
        actor=str(actor) if actor else None,
        at=fact.occurred_at,
        told_at=fact.recorded_at if late else None,
    )
