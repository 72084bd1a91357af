"""DiaryService: what sales did with a lead and means to do: activities, follow-ups, reminders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import ActivityKind, FactKind, find_action
from errors import Conflict, NotFound, invalid_field
from lib.clock import iso
from models import Activity, FollowUp, Lead
from services.lead_list import LOGGED_SIGNALS
from services.resources import Resources
from services.sales_step import SalesStep

# Words of a list, whoever keeps it; anything else somebody wrote, and it may name a person.
WORD = re.compile(r"[a-z][a-z0-9_]{0,31}")
SHORT_FIELDS = ("method", "status", "outcome")
MOST_SHOWN = 200


@dataclass(frozen=True)
class NewActivity:
    """What somebody did with a lead, as it was told."""

    kind: str
    duration: float | None = None
    method: str | None = None
    status: str | None = None
    outcome: str | None = None
    note: str | None = None
    occurred_at: datetime | None = None


class DiaryService:
    """The activities and follow-ups of leads."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def log_activity(self, lead_id: int, told: NewActivity, *, actor: str) -> dict[str, Any]:
        """Keep a call, an e-mail, a meeting, a note, a signal; it and the lead's score.

        No stage follows from it: whether a call was a contact only people know.
        """
        step = SalesStep(self.session, self.resources, lead_id, actor)
        at, kind = step.happened(told.occurred_at), read_kind(told.kind)
        values = {**asdict(told), "kind": kind, "occurred_at": at}
        row = Activity(lead_id=lead_id, actor=actor, recorded_at=step.now, **values)
        self.session.add(row)
        self.session.flush()
        measured, personal = _halves(row)
        step.record(FactKind.ACTIVITY_LOGGED, measured, personal=personal, occurred_at=at)
        step.set(last_activity_at=max(step.lead.last_activity_at, at))
        step.audit("activity.logged", {"activity_id": row.id, "kind": kind})
        return {**activity_view(row), **step.score()}

    def set_follow_up(
        self, lead_id: int, due_at: datetime, *, note: str | None = None, actor: str
    ) -> dict[str, Any]:
        """Keep when somebody means to turn to the lead again; it and the lead's score.

        One that is overdue already is taken, and reminded of at once.
        """
        step = SalesStep(self.session, self.resources, lead_id, actor)
        row = FollowUp(
            lead_id=lead_id,
            due_at=step.planned("due_at", due_at),
            note=note,
            assigned_to=step.lead.assigned_to,
            actor=actor,
            created_at=step.now,
        )
        self.session.add(row)
        self.session.flush()
        measured = {"follow_up_id": row.id, "due_at": iso(row.due_at)}
        personal = {"note": note} if note else None
        step.record(FactKind.FOLLOW_UP_SET, measured, personal=personal)
        step.set()
        step.audit("follow_up.set", measured)
        return {**follow_up_view(row), **step.score()}

    def finish_follow_up(self, lead_id: int, follow_up_id: int, *, actor: str) -> dict[str, Any]:
        """A follow-up that is done; done again, nothing happens."""
        step = SalesStep(self.session, self.resources, lead_id, actor)
        row = self._follow_up(lead_id, follow_up_id)
        if row.done_at is None:
            row.done_at = step.now
            self.session.flush()
            measured = {"follow_up_id": row.id, "due_at": iso(row.due_at)}
            step.record(FactKind.FOLLOW_UP_DONE, measured)
            step.set()
            step.audit("follow_up.done", measured)
        return {**follow_up_view(row), **step.score()}

    def move_follow_up(
        self, lead_id: int, follow_up_id: int, due_at: datetime, *, actor: str
    ) -> dict[str, Any]:
        """A follow-up at another moment, of which somebody is reminded anew.

        Moved to where it is, nothing happens; Conflict for one that is done.
        """
        step = SalesStep(self.session, self.resources, lead_id, actor)
        row = self._follow_up(lead_id, follow_up_id)
        if row.done_at is not None:
            raise Conflict("This follow-up is done; set a new one.", code="follow_up_done")
        before, after = row.due_at, step.planned("due_at", due_at)
        if before != after:
            row.due_at, row.reminded_at, row.sequence = after, None, row.sequence + 1
            self.session.flush()
            measured = {"follow_up_id": row.id, "from": iso(before), "due_at": iso(after)}
            step.record(FactKind.FOLLOW_UP_MOVED, measured)
            step.set()
            step.audit("follow_up.moved", measured)
        return {**follow_up_view(row), **step.score()}

    def _follow_up(self, lead_id: int, follow_up_id: int) -> FollowUp:
        """One of this lead, which the caller has locked, as it stands now."""
        row = self.session.get(FollowUp, follow_up_id, populate_existing=True)
        if row is None or row.lead_id != lead_id:
            raise NotFound("This lead has no such follow-up.", code="unknown_follow_up")
        return row

    # The clock

    def due_follow_ups(self, now: datetime, limit: int) -> list[int]:
        """Follow-ups of which nobody was reminded yet, the longest due first."""
        return list(
            self.session.scalars(
                select(FollowUp.id)
                .join(Lead, Lead.id == FollowUp.lead_id)
                .where(FollowUp.due_at <= now, *_waiting(), Lead.deleted_at.is_(None))
                .order_by(FollowUp.due_at, FollowUp.id)
                .limit(limit)
            )
        )

    def remind(self, follow_up_id: int) -> bool:
        """Have people reminded of a follow-up; False if that was done, or is needless now."""
        now = self.resources.clock.now()
        row = self.session.scalar(
            update(FollowUp)
            .where(FollowUp.id == follow_up_id, FollowUp.due_at <= now, *_waiting())
            .values(reminded_at=now)
            .returning(FollowUp)
        )
        if row is None:
            return False
        lead = self.session.get(Lead, row.lead_id)
        # The lead may have changed hands since.
        owner = (lead.assigned_to if lead else None) or row.assigned_to
        measured = {"follow_up_id": row.id, "due_at": iso(row.due_at), "assigned_to": owner}
        personal = {"note": row.note} if row.note else None
        fact = outbox.NewFact(FactKind.FOLLOW_UP_DUE, now, measured, personal, lead_id=row.lead_id)
        outbox.record(self.session, fact)
        return True

    # Reading

    def find_diary(self, lead: Lead) -> dict[str, Any]:
        """What a lead's page shows of its activities and follow-ups."""
        worked = (Activity.lead_id == lead.id, Activity.kind.not_in(LOGGED_SIGNALS))
        activities = self._activities(lead.id)
        follow_ups = self._follow_ups(lead.id)
        last = self.session.scalar(
            select(Activity.kind)
            .where(*worked)
            .order_by(Activity.occurred_at.desc(), Activity.id.desc())
            .limit(1)
        )
        waiting = [one.due_at for one in follow_ups if one.done_at is None]
        rest = lead.snoozed_until
        return {
            "follow_up_date": iso(min(waiting)) if waiting else None,
            "is_snoozed": rest is not None and rest > self.resources.clock.now(),
            "snoozed_until": iso(rest) if rest else None,
            "interaction_count": self.session.scalar(select(func.count()).where(*worked)),
            "last_interaction_type": last,
            "activities": [activity_view(one) for one in activities],
            "follow_ups": [follow_up_view(one) for one in follow_ups],
        }

    def _activities(self, lead_id: int) -> Sequence[Activity]:
        """The latest ones; the lead's history has them all."""
        return self.session.scalars(
            select(Activity)
            .where(Activity.lead_id == lead_id)
            .order_by(Activity.occurred_at.desc(), Activity.id.desc())
            .limit(MOST_SHOWN)
        ).all()

    def _follow_ups(self, lead_id: int) -> Sequence[FollowUp]:
        """What is still to be done first, the soonest before the others."""
        return self.session.scalars(
            select(FollowUp)
            .where(FollowUp.lead_id == lead_id)
            .order_by(FollowUp.done_at.is_not(None), FollowUp.due_at, FollowUp.id)
            .limit(MOST_SHOWN)
        ).all()


def read_kind(word: str) -> str:
    """The kind of activity that a word names; Invalid for what is none.

    Besides ours and the engagement signals a workspace may have words of its own (`site_visit`);
    what the chat sees for itself is no activity of sales.
    """
    action = find_action(word)
    if action is not None and str(action) in LOGGED_SIGNALS:
        return str(action)
    if action is not None or not WORD.fullmatch(word):
        known = ", ".join((*ActivityKind, *LOGGED_SIGNALS))
        sentence = f"An activity is {known}, or a word of your own of lower-case letters."
        raise invalid_field("kind", sentence, code="unknown_kind")
    return word


def activity_view(row: Activity) -> dict[str, Any]:
    """An activity as the wire shows it."""
    return {
        "id": str(row.id),
        "lead_id": str(row.lead_id),
        "kind": row.kind,
        "duration": row.duration,
        "method": row.method,
        "status": row.status,
        "outcome": row.outcome,
        "note": row.note,
        "actor": row.actor,
        "occurred_at": iso(row.occurred_at),
        "recorded_at": iso(row.recorded_at),
    }


def follow_up_view(row: FollowUp) -> dict[str, Any]:
    """A follow-up as the wire shows it."""
    return {
        "id": str(row.id),
        "lead_id": str(row.lead_id),
        "due_at": iso(row.due_at),
        "note": row.note,
        "assigned_to": row.assigned_to,
        "actor": row.actor,
        "created_at": iso(row.created_at),
        "reminded_at": iso(row.reminded_at) if row.reminded_at else None,
        "done_at": iso(row.done_at) if row.done_at else None,
    }


def _waiting() -> tuple[Any, Any]:
    return FollowUp.done_at.is_(None), FollowUp.reminded_at.is_(None)


def _halves(row: Activity) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What of an activity rules may read for ever, and what erasure takes away."""
    measured: dict[str, Any] = {"activity_id": row.id, "kind": row.kind}
    personal: dict[str, Any] = {"note": row.note} if row.note else {}
    if row.duration is not None:
        measured["duration"] = row.duration
    for name in SHORT_FIELDS:
        value = getattr(row, name)
        if value:
            (measured if WORD.fullmatch(value) else personal)[name] = value
    return measured, personal or None
