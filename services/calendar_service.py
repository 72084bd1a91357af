"""CalendarService: follow-ups by their days, and in the calendars that people carry with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

import outbox
from alert_contents import INVITATION, PERSONAL, follow_up_entry
from engine.alert_rules import wanted_by
from engine.alert_settings import AlertSettings
from engine.policy import Permission, Role, may
from engine.vocabulary import FactKind, Trigger
from errors import Conflict, NotFound
from lib.calendar_file import PUBLISH, write_calendar
from lib.clock import iso
from models import Destination, Event, FollowUp, Lead, Person
from notification_service import NotificationService
from services.account_service import AccountService
from services.lead_visibility import is_visible
from services.personal_mail import PersonalMail
from services.resources import Resources

FOLLOW_UP, WAKE = "follow_up", "wake"


@dataclass(frozen=True)
class CalendarEntry:
    """Something that is to happen with a lead at a moment."""

    # FOLLOW_UP, or WAKE: a lead's rest is over.
    kind: str
    id: int
    lead_id: int
    at: datetime
    name: str | None
    company: str | None
    note: str | None
    owner: str | None
    is_done: bool = False
    is_overdue: bool = False


class CalendarService:
    """Follow-ups as entries of calendars: shown, downloaded, sent as invitations."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.mail = PersonalMail(session, resources)

    # Reading

    def find_entry(self, lead_id: int, follow_up_id: int) -> CalendarEntry:
        """One follow-up; NotFound where the lead has none of this id."""
        row, lead = self._row(lead_id, follow_up_id)
        return _entry(row, lead, self.resources.clock.now())

    def file_of(self, lead_id: int, follow_up_id: int) -> bytes:
        """A follow-up as a file that any calendar opens."""
        row, lead = self._row(lead_id, follow_up_id)
        entry = follow_up_entry(row, lead, self.resources, is_cancelled=row.done_at is not None)
        return write_calendar([entry], method=PUBLISH)

    def is_invited(self, follow_up_id: int, lead_id: int, person_id: int) -> bool:
        """Whether this person has the follow-up in their own calendar by an invitation of ours."""
        return person_id in self._invited(lead_id, follow_up_id)

    # Invitations

    def invite(self, lead_id: int, follow_up_id: int, person_id: int) -> None:
        """Send a follow-up as an invitation to this person's own address."""
        row, _ = self._row(lead_id, follow_up_id)
        if row.done_at is not None:
            raise Conflict("This follow-up is done already.", code="follow_up_done")
        person = self.session.get_one(Person, person_id)
        if not self.mail.is_possible():
            raise Conflict("No mail server is set up; download the file instead.", code="no_mail")
        self._send(row, person, is_cancelled=False, by=person.email)
        accounts = AccountService(self.session, self.resources)
        detail = {"follow_up_id": row.id}
        accounts.audit(person.email, "follow_up.invited", f"lead {lead_id}", detail)

    def on_facts(self, lead_id: int, facts: Sequence[Event]) -> None:
        """What happened to follow-ups reaches those who carry them: moved, done, due."""
        for fact in facts:
            row = self.session.get(FollowUp, fact.measured.get("follow_up_id"))
            if row is None or row.lead_id != lead_id:
                continue
            if fact.kind == FactKind.FOLLOW_UP_DUE:
                self._remind(row, fact)
            else:
                self._tell_invited(row)

    def _tell_invited(self, row: FollowUp) -> None:
        """Another moment, or none any more, to everybody who was invited."""
        is_done = row.done_at is not None
        owner = self.session.scalar(select(Lead.assigned_to).where(Lead.id == row.lead_id))
        for person_id, sequence in self._invited(row.lead_id, row.id).items():
            person = self.session.get(Person, person_id)
            if person is None or not _may_read(person, owner):
                continue
            if is_done or sequence < row.sequence:
                self._send(row, person, is_cancelled=is_done, by="relay")

    def _remind(self, row: FollowUp, fact: Event) -> None:
        """The owner hears of it at their own address, unless an address of the team is theirs."""
        owner = str(fact.measured.get("assigned_to") or "").strip().casefold()
        person = self.session.scalar(select(Person).where(Person.email == owner))
        settings: AlertSettings = NotificationService(self.session, self.resources).settings()
        if person is None or not wanted_by(None, settings, Trigger.FOLLOW_UP_DUE, "email"):
            return
        if not self._hears_already(owner):
            self.mail.enqueue(person, fact.id, Trigger.FOLLOW_UP_DUE, lead_id=row.lead_id)

    def _hears_already(self, address: str) -> bool:
        """Whether an address of the sales team is this person's own."""
        alive = (Destination.enabled, Destination.deleted_at.is_(None))
        places = self.session.scalars(
            select(Destination).where(
                Destination.channel == "email", Destination.source != PERSONAL, *alive
            )
        )
        trigger = str(Trigger.FOLLOW_UP_DUE)
        told = (
            self.resources.address_of(place) or ""
            for place in places
            if not place.triggers or trigger in place.triggers
        )
        return any(address in map(str.strip, one.casefold().split(",")) for one in told)

    def _send(self, row: FollowUp, person: Person, *, is_cancelled: bool, by: str) -> None:
        """A fact, and the letter that tells it; the letter is written when it goes."""
        measured: dict[str, Any] = {
            "follow_up_id": row.id,
            "person_id": person.id,
            "sequence": row.sequence,
            "cancelled": is_cancelled,
            "due_at": iso(row.due_at),
            "actor": by,
        }
        now = self.resources.clock.now()
        fact = outbox.NewFact(FactKind.FOLLOW_UP_INVITED, now, measured, lead_id=row.lead_id)
        (event_id,) = outbox.record(self.session, fact)
        self.mail.enqueue(person, event_id, INVITATION, lead_id=row.lead_id)

    def _invited(self, lead_id: int, follow_up_id: int) -> dict[int, int]:
        """Who has the follow-up in their calendar, and which sequence of it."""
        told = self.session.scalars(
            select(Event.measured)
            .where(Event.lead_id == lead_id, Event.kind == FactKind.FOLLOW_UP_INVITED)
            .order_by(Event.id)
        )
        found: dict[int, int] = {}
        for said in told:
            if said["follow_up_id"] != follow_up_id:
                continue
            if said["cancelled"]:
                found.pop(said["person_id"], None)
            else:
                found[said["person_id"]] = said["sequence"]
        return found

    # Within

    def _row(self, lead_id: int, follow_up_id: int) -> tuple[FollowUp, Lead]:
        one = (FollowUp.id == follow_up_id, FollowUp.lead_id == lead_id)
        found = self.session.execute(_joined().where(*one)).one_or_none()
        if found is None:
            raise NotFound("This lead has no such follow-up.", code="unknown_follow_up")
        return found[0], found[1]


def whose(email: str) -> ColumnElement[bool]:
    """The condition that a follow-up is this person's: of their lead, or of nobody's and theirs."""
    mine = func.lower(func.coalesce(Lead.assigned_to, FollowUp.assigned_to, FollowUp.actor))
    return mine == email.lower()


def _may_read(person: Person, owner: str | None) -> bool:
    """Whether a lead of this owner is still for the eyes of somebody who was invited once."""
    role = Role(person.role)
    is_theirs = may(role, Permission.LEADS_ALL) or owner in (None, person.email)
    return is_theirs and may(role, Permission.LEADS_PERSONAL)


def _joined() -> Select[FollowUp, Lead]:
    return select(FollowUp, Lead).join(Lead, Lead.id == FollowUp.lead_id).where(*is_visible())


def _entry(row: FollowUp, lead: Lead, now: datetime) -> CalendarEntry:
    is_done = row.done_at is not None
    return CalendarEntry(
        FOLLOW_UP,
        row.id,
        lead.id,
        row.due_at,
        lead.name,
        lead.company,
        row.note,
        lead.assigned_to or row.assigned_to,
        is_done=is_done,
        is_overdue=not is_done and row.due_at <= now and lead.outcome is None,
    )
