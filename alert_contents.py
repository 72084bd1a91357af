"""AlertContents: what an alert says, of a lead, a follow-up, a digest or of no lead at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.vocabulary import FactKind, Trigger
from integrations.channels.base import Alert, Reason
from lib.calendar_file import Entry
from lib.clock import iso, zone
from models import Delivery, Event, FollowUp, Lead, Person

# The source of a destination that is one person's own address: nobody else's news goes there.
PERSONAL = "person"
# The trigger of a letter that brings a follow-up into somebody's own calendar.
INVITATION = "invitation"
# Follow-ups have a beginning only; calendars want an end.
LENGTH = timedelta(minutes=30)
TITLES: dict[str, str] = {
    Trigger.BECAME_SQL: "New sales-qualified lead",
    Trigger.BECAME_HOT: "A lead became hot",
    Trigger.DEMO_REQUESTED: "Demo requested",
    Trigger.CONTACT_SHARED: "Contact details shared",
    Trigger.JOURNEY_COMPLETED: "Conversation completed",
    Trigger.LEAD_ASSIGNED: "Lead assigned",
    Trigger.FOLLOW_UP_DUE: "Follow-up due",
    Trigger.DEAL_WON: "Deal won",
    Trigger.MODEL_PROMOTED: "A new prediction model answers",
    Trigger.MODEL_RETURNED: "An earlier prediction model is back",
    INVITATION: "Follow-up",
    "requested": "Lead alert",
    "test": "Test message from Leadline",
    "digest": "What happened since the last summary",
    "destination_stopped": "A destination of alerts was stopped",
}
DIGEST_SHOWS = 20


class AlertContents:
    """Puts deliveries into words, from the fact that each of them is about."""

    def __init__(self, session: Session, resources: Any) -> None:
        self.session = session
        self.resources = resources

    def worded(self, delivery: Delivery) -> Alert | None:
        """What a delivery says; None when its lead was deleted or erased meanwhile."""
        fact = self.session.get_one(Event, delivery.event_id)
        if fact.kind == FactKind.ALERT_RAISED:
            return self._about_lead(delivery.id, delivery.trigger, fact)
        if fact.kind == FactKind.ALERT_REQUESTED:
            if fact.lead_id is not None and fact.personal is None:
                return None
            return _asked(delivery.id, delivery.trigger, fact)
        if fact.kind == FactKind.DIGEST_MADE:
            return self._digest(delivery, fact)
        if fact.kind in (FactKind.FOLLOW_UP_DUE, FactKind.FOLLOW_UP_INVITED):
            return self._about_follow_up(delivery, fact)
        return _notice(delivery.id, delivery.trigger, fact)

    def _about_lead(self, identifier: str, trigger: str, fact: Event) -> Alert | None:
        lead = self.session.get(Lead, fact.lead_id)
        if lead is None or lead.deleted_at is not None:
            return None
        said = fact.measured
        reasons = tuple(Reason(text, points) for text, points in said["reasons"])
        url, details = self._link(lead.id), tuple(self._details(trigger, fact))
        told = [{"label": label, "text": text} for label, text in details]
        return Alert(
            id=identifier,
            trigger=trigger,
            title=TITLES.get(trigger, TITLES["requested"]),
            occurred_at=fact.occurred_at,
            lead_id=lead.id,
            name=lead.name,
            company=lead.company,
            email=lead.email,
            phone=lead.phone,
            score=said["score"],
            classification=said["classification"],
            tier=said["tier"],
            reasons=reasons,
            source=lead.source,
            url=url,
            details=details,
            payload={**_payload(lead, trigger, fact, url), "details": told},
        )

    def _details(self, trigger: str, fact: Event) -> Iterator[tuple[str, str]]:
        cause = self.session.get(Event, fact.measured["cause"])
        if cause is None:
            return
        if trigger == Trigger.LEAD_ASSIGNED and cause.measured.get("to"):
            yield "Assigned to", str(cause.measured["to"])
        if trigger == Trigger.FOLLOW_UP_DUE and cause.personal and cause.personal.get("note"):
            yield "Note", str(cause.personal["note"])
        if trigger == Trigger.DEAL_WON and cause.measured.get("value") is not None:
            yield "Value", f"{cause.measured['value']:,.2f}"

    def _about_follow_up(self, delivery: Delivery, fact: Event) -> Alert | None:
        """What one person hears of a follow-up: a reminder, or the entry for their calendar."""
        lead = self.session.get(Lead, fact.lead_id)
        row = self.session.get(FollowUp, fact.measured["follow_up_id"])
        if lead is None or lead.deleted_at is not None or row is None:
            return None
        is_cancelled = bool(fact.measured.get("cancelled"))
        entry = None
        if fact.kind == FactKind.FOLLOW_UP_INVITED:
            entry = follow_up_entry(row, lead, self.resources, is_cancelled=is_cancelled)
        title = TITLES[delivery.trigger]
        return Alert(
            id=delivery.id,
            trigger=delivery.trigger,
            title=f"{title} is off the calendar" if is_cancelled else title,
            occurred_at=fact.occurred_at,
            lead_id=lead.id,
            name=lead.name,
            company=lead.company,
            phone=lead.phone,
            url=self._link(lead.id),
            details=tuple(self._when_and_note(delivery.destination_id, row)),
            entry=entry,
        )

    def _when_and_note(self, destination_id: str, row: FollowUp) -> Iterator[tuple[str, str]]:
        number = destination_id.removeprefix(f"{PERSONAL}_")
        person = self.session.get(Person, int(number)) if number.isdecimal() else None
        try:
            local = row.due_at.astimezone(zone(person.time_zone if person else None))
        except ValueError:
            local = row.due_at
        yield "When", f"{local:%A}, {local.day} {local:%B %Y, %H:%M} {local.tzname()}"
        if row.note:
            yield "Note", row.note

    def _digest(self, delivery: Delivery, fact: Event) -> Alert:
        """Everything that waited for this summary, the newest last."""
        parts = self.session.scalars(
            select(Delivery)
            .where(Delivery.digest_id == delivery.id)
            .order_by(Delivery.created_at, Delivery.id)
        ).all()
        worded = [self.worded(part) for part in parts]
        items = tuple(item for item in worded if item is not None)
        more = len(items) - DIGEST_SHOWS
        return Alert(
            id=delivery.id,
            trigger="digest",
            title=TITLES["digest"],
            occurred_at=fact.occurred_at,
            url=self.resources.settings.APP_URL or None,
            details=(("And", f"{more} more"),) if more > 0 else (),
            items=items[-DIGEST_SHOWS:],
            payload={"count": len(items)},
        )

    def _link(self, lead_id: int) -> str | None:
        base = self.resources.settings.APP_URL
        return f"{base}/leads/{lead_id}" if base else None


def follow_up_entry(
    row: FollowUp, lead: Lead, resources: Any, *, is_cancelled: bool = False
) -> Entry:
    """A follow-up as a calendar takes it: who, where from, and the note; no address, no number."""
    base: str = resources.settings.APP_URL
    who = ", ".join(part for part in (lead.name, lead.company) if part) or f"Lead {lead.id}"
    return Entry(
        # No two installations make the same: one person may read from both.
        uid=f"follow-up-{row.id}-{int(row.created_at.timestamp())}@{_host(base)}",
        starts_at=row.due_at,
        ends_at=row.due_at + LENGTH,
        summary=f"Follow-up: {who}",
        # A calendar takes what is stamped later for the newer word.
        stamped_at=row.done_at or row.created_at + timedelta(seconds=row.sequence),
        sequence=row.sequence + is_cancelled,
        description=row.note or "",
        url=f"{base}/console/leads/{lead.id}" if base else "",
        is_cancelled=is_cancelled,
    )


def _host(base: str) -> str:
    return urlsplit(base).hostname or "leadline.invalid"


def _asked(identifier: str, trigger: str, fact: Event) -> Alert:
    """The alert that a script asked for, from the data it gave; nothing of it is looked up."""
    given: Mapping[str, Any] = (fact.personal or {}).get("lead_data", {})

    def text(*names: str) -> str | None:
        found = next((given[name] for name in names if given.get(name) not in (None, "")), None)
        return None if found is None else str(found)

    score = given.get("lead_score", given.get("score"))
    return Alert(
        id=identifier,
        trigger=trigger,
        title=TITLES.get(trigger, TITLES["requested"]),
        occurred_at=fact.occurred_at,
        name=text("name"),
        company=text("company"),
        email=text("email"),
        phone=text("phone", "contact_info"),
        score=float(score) if isinstance(score, (int, float)) else None,
        classification=text("classification", "lead_classification", "lead_type"),
        source=text("utm_source", "source"),
        payload={"lead": dict(given)},
    )


def _notice(identifier: str, trigger: str, fact: Event) -> Alert:
    """A message that is about no lead."""
    details: tuple[tuple[str, str], ...] = ()
    if trigger == "destination_stopped":
        said = fact.measured
        details = (
            ("Destination", f"{said['channel']} ({said['destination_id']})"),
            ("Why", str(said["reason"])),
            ("What to do", "Mend it, then switch it on again; its messages are kept."),
        )
    if trigger in (Trigger.MODEL_PROMOTED, Trigger.MODEL_RETURNED):
        details = tuple(_about_model(fact.measured))
    return Alert(
        id=identifier,
        trigger=trigger,
        title=TITLES.get(trigger, TITLES["requested"]),
        occurred_at=fact.occurred_at,
        details=details,
        payload=dict(fact.measured),
    )


_STAGES = {
    "before_contact": "leads that nobody has spoken with",
    "after_contact": "leads that somebody has spoken with",
}


def _about_model(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What people want to know of a model that answers from now on."""
    yield "Answers for", _STAGES.get(said["stage"], str(said["stage"]))
    if said.get("rows") is not None:
        yield "Learned from", f"{said['rows']:,} outcomes, {said['wins']:,} of them won"
    if said.get("reasons"):
        yield "Why", " ".join(map(str, said["reasons"]))
    yield "Model", f"{said['model_id']} ({said.get('label') or 'unlabelled'})"
    if said.get("replaced"):
        yield "In place of", f"{said['replaced']}, which is kept and can come back"
    yield "By", str(said["by"])


def _payload(lead: Lead, trigger: str, fact: Event, url: str | None) -> dict[str, Any]:
    """What machines read."""
    return {
        "lead_id": str(lead.id),
        "session_id": lead.session_id,
        "trigger": trigger,
        "occurred_at": iso(fact.occurred_at),
        "score": fact.measured["score"],
        "tier": fact.measured["tier"],
        "classification": fact.measured["classification"],
        "lead_type": fact.measured["classification"],
        "lead_classification": fact.measured["classification"],
        "reasons": [{"text": text, "points": points} for text, points in fact.measured["reasons"]],
        "lead": {
            name: getattr(lead, name)
            for name in (
                "name",
                "email",
                "phone",
                "company",
                "business_type",
                "location",
            )
        }
        | {
            "source": lead.source,
            "utm_source": lead.utm_source,
            "assigned_to": lead.assigned_to,
        },
        "url": url,
    }
