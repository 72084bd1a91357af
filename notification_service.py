"""NotificationService: who hears what, in which words; delivers one alert."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

import outbox
from engine import retry
from engine.alert_rules import (
    LeadState,
    Raised,
    strongest_reasons,
    trigger_of,
    triggers_for,
    wanted_by,
)
from engine.alert_settings import AlertSettings
from engine.quiet_hours import QuietHours
from engine.vocabulary import DeliveryStatus, FactKind, Trigger
from integrations.channels.base import Alert, Channel, Reason, Receipt
from integrations.errors import (
    ConnectionRefused,
    DeliveryError,
    ItemRefused,
    OutcomeUnknown,
    TryLater,
)
from lib.calendar_file import Entry
from lib.clock import iso, zone
from lib.on_class import on_class
from models import (
    Delivery,
    DeliveryAttempt,
    Destination,
    Event,
    FollowUp,
    Lead,
    LeadScore,
    Person,
    UserBehavior,
    WorkspaceSetting,
)
from outbox import NewFact, Settlement, Wanted

log = structlog.get_logger(__name__)

# What a script asked for in this unit; sent by whoever commits it, when no relay runs beside.
ASKED = "leadline.asked"
ALERTS = "alerts"
ENVIRONMENT = "environment"
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
# Where a place asks for a pause and does not say how long.
# So exactly people want to know when a place was last reached.
SEEN_OFTEN = timedelta(minutes=1)
SHORTEST_PAUSE = timedelta(seconds=30)


@dataclass(frozen=True)
class Prepared:
    """One claimed delivery with everything that sending needs; no row, no session."""

    delivery: Delivery
    channel: Channel
    address: str
    secrets: tuple[str, ...]
    alert: Alert


class NotificationService:
    """Alerts: decided by `engine.alert_rules`, worded here, carried by `integrations.channels`."""

    def __init__(self, session: Session, resources: Any) -> None:
        self.session = session
        self.resources = resources

    # As older scripts ask

    @on_class
    def send_email_alert(self, lead_data: Mapping[str, Any]) -> dict[str, Any]:
        """Send an e-mail about a lead to the sales team's addresses of the environment."""
        return self._send_asked("email", lead_data)

    @on_class
    def send_slack_notification(self, lead_data: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message about a lead to the environment's Slack webhook."""
        return self._send_asked("slack", lead_data)

    @on_class
    def send_discord_notification(self, lead_data: Mapping[str, Any]) -> dict[str, Any]:
        """Send a message about a lead to the environment's Discord webhook."""
        return self._send_asked("discord", lead_data)

    def _send_asked(self, channel: str, lead_data: Mapping[str, Any]) -> dict[str, Any]:
        """The reply says how to follow it: a delivery is tried again when it fails."""
        now = self.resources.clock.now()
        places = [place for place in self._destinations() if place.channel == channel]
        places = [place for place in places if place.source == ENVIRONMENT]
        if not places:
            reason = f"No default {channel} destination is configured."
            return {
                "channel": channel,
                "status": "off",
                "delivery_ids": [],
                "reason": reason,
            }
        lead_id = self._lead_of(lead_data)
        fact = NewFact(
            FactKind.ALERT_REQUESTED,
            now,
            {"channel": channel},
            {"lead_data": dict(lead_data)},
            lead_id=lead_id,
        )
        (event_id,) = outbox.record(self.session, fact)
        wanted = [self._wanted(place, now, quiet=None) for place in places]
        ids = outbox.enqueue(self.session, event_id, "requested", wanted, lead_id=lead_id, now=now)
        self.session.info.setdefault(ASKED, []).extend(ids)
        return {
            "channel": channel,
            "status": "pending",
            "delivery_ids": ids,
            "reason": None,
        }

    def _lead_of(self, lead_data: Mapping[str, Any]) -> int | None:
        """Whom a script means, so that an erasure finds what it said; None if nobody we know."""
        email = str(lead_data.get("email") or "").strip().casefold()
        named = ((Lead.session_id, lead_data.get("session_id")), (Lead.email_key, email))
        for column, value in named:
            if value and isinstance(value, str):
                found = self.session.scalar(select(Lead.id).where(column == value).limit(1))
                if found is not None:
                    return found
        return None

    # Who hears

    def settings(self) -> AlertSettings:
        """What people have configured; stored beats environment, which beats the defaults."""
        stored = self.session.get(WorkspaceSetting, ALERTS)
        return AlertSettings.from_plain(stored.value if stored else {})

    def on_facts(self, lead_id: int, facts: Sequence[Event]) -> None:
        """React to what happened to one lead: raise what is news and enqueue it."""
        lead = self.session.get(Lead, lead_id)
        if lead is None or lead.deleted_at is not None:
            return
        settings = self.settings()
        state = LeadState(
            lead_id=lead.id,
            classification=lead.lead_classification,
            contactable=bool(lead.email or lead.phone),
        )
        for fact in facts:
            for raised in triggers_for(fact.kind, fact.measured, state, settings, fact_id=fact.id):
                self._raise(lead, fact, raised, settings)

    def on_destination_stopped(self, fact: Event) -> None:
        """Tell the sales team's own addresses that one of the other places was stopped."""
        now = self.resources.clock.now()
        stopped = fact.measured["destination_id"]
        wanted = [
            self._wanted(place, now, quiet=None)
            for place in self._destinations()
            if place.channel == "email" and place.id != stopped and place.state == outbox.WORKING
        ]
        outbox.enqueue(self.session, fact.id, "destination_stopped", wanted, lead_id=None, now=now)

    def on_model_changed(self, fact: Event) -> None:
        """Tell who wants to know that another model answers from now on."""
        trigger, settings = trigger_of(fact.kind), self.settings()
        # Points that are calibrated anew, perhaps each night, are no other model to anybody.
        is_same = fact.measured.get("label") == fact.measured.get("replaced_label") == "rules"
        if trigger is None or is_same:
            return
        now = self.resources.clock.now()
        wanted = [
            self._wanted(place, now, quiet=settings.quiet_hours)
            for place in self._destinations()
            if wanted_by(place.triggers, settings, trigger, place.channel)
        ]
        outbox.enqueue(self.session, fact.id, trigger, wanted, lead_id=None, now=now)

    def _raise(self, lead: Lead, cause: Event, raised: Raised, settings: AlertSettings) -> None:
        """The alert as a fact, once; then a delivery for everybody who wants it."""
        now = self.resources.clock.now()
        fact = NewFact(
            FactKind.ALERT_RAISED,
            cause.occurred_at,
            measured={
                "trigger": str(raised.trigger),
                "cause": cause.id,
                **self._standing(lead, settings),
                "classification": lead.lead_classification,
                "reasons": self._reasons(lead),
            },
            lead_id=lead.id,
            idempotency_key=raised.once_key,
            recorded_at=now,
        )
        event_id = outbox.record_once(self.session, fact)
        if event_id is None:
            return
        wanted = [
            self._wanted(place, now, quiet=settings.quiet_hours)
            for place in self._destinations()
            if wanted_by(place.triggers, settings, raised.trigger, place.channel)
        ]
        outbox.enqueue(self.session, event_id, raised.trigger, wanted, lead_id=lead.id, now=now)

    def _destinations(self) -> Sequence[Destination]:
        places = self.session.scalars(
            select(Destination)
            .where(
                Destination.enabled,
                Destination.deleted_at.is_(None),
                Destination.source != PERSONAL,
            )
            .order_by(Destination.created_at, Destination.id)
        )
        return [place for place in places if self.resources.address_of(place) is not None]

    def _unknown_here(self) -> list[str]:
        """Places that another process's environment names and this one's does not."""
        defaults = self.session.scalars(
            select(Destination).where(Destination.source == ENVIRONMENT)
        )
        return [place.id for place in defaults if self.resources.address_of(place) is None]

    def _wanted(self, place: Destination, now: datetime, *, quiet: QuietHours | None) -> Wanted:
        """From when on a place may hear of something that is true now."""
        if place.state == outbox.STOPPED:
            return Wanted(place.id, None, DeliveryStatus.HELD)
        if place.digest:
            return Wanted(place.id, None)
        own = QuietHours.parse(place.quiet_hours) if place.quiet_hours else quiet
        return Wanted(place.id, own.ends_after(now) if own and own.is_quiet(now) else now)

    def _standing(self, lead: Lead, settings: AlertSettings) -> dict[str, Any]:
        """The score that the queue is sorted by, and its tier."""
        kept = self.session.get(LeadScore, (lead.id, str(settings.queue_profile)))
        if kept is None:
            return {"score": lead.lead_score, "tier": None}
        return {"score": round(kept.score, 1), "tier": kept.tier}

    def _reasons(self, lead: Lead) -> list[list[Any]]:
        """The three awards that weigh most, in workflow ids only."""
        if lead.session_id is None:
            return []
        rows = self.session.execute(
            select(UserBehavior.behavior_type, UserBehavior.score_impact).where(
                UserBehavior.session_id == lead.session_id
            )
        )
        sums = [(action, float(points)) for action, points in rows]
        return [[reason.text, reason.points] for reason in strongest_reasons(sums)]

    # In which words

    def prepare(self, limit: int, *, only: Sequence[str] | None = None) -> list[Prepared]:
        """Deliveries of one destination, claimed and worded; what cannot be sent is settled."""
        now = self.resources.clock.now()
        claimed = outbox.claim(
            self.session,
            now,
            limit=limit,
            lease=self.resources.lease,
            only=only,
            except_for=self._unknown_here(),
        )
        return [ready for delivery in claimed if (ready := self._prepared(delivery, now))]

    def _prepared(self, delivery: Delivery, now: datetime) -> Prepared | None:
        place = self.session.get_one(Destination, delivery.destination_id)
        address = self.resources.address_of(place)
        alert = self._worded(delivery)
        if alert is None:
            gone = Settlement(DeliveryStatus.DEAD, reason="The lead is no longer there.")
            outbox.settle(self.session, delivery, gone, now)
            return None
        assert address is not None, "what is unknown here is not claimed"
        good = tuple(
            one["secret"]
            for one in place.secrets
            if not one.get("until") or datetime.fromisoformat(one["until"]) > now
        )
        self.session.expunge(delivery)
        return Prepared(delivery, self.resources.channels[place.channel], address, good, alert)

    def _worded(self, delivery: Delivery) -> Alert | None:
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
        worded = [self._worded(part) for part in parts]
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

    # What became of it

    def settle(
        self, prepared: Prepared, outcome: Receipt | DeliveryError, seconds: float
    ) -> DeliveryStatus:
        """Write down one attempt; the destination learns from it too."""
        now = self.resources.clock.now()
        place = self.session.get_one(Destination, prepared.delivery.destination_id)
        result = self._settlement(prepared, outcome, seconds, now)
        if _teaches(place, outcome, now):
            # Not for each message: relays that send to one place would wait for one another.
            self.session.refresh(place, with_for_update={"key_share": True})
            self._learn(place, outcome, now)
        outbox.settle(self.session, prepared.delivery, result, now)
        self.resources.metrics.delivery(place.channel, str(result.status))
        return result.status

    def _settlement(
        self,
        prepared: Prepared,
        outcome: Receipt | DeliveryError,
        seconds: float,
        now: datetime,
    ) -> Settlement:
        if isinstance(outcome, Receipt):
            return Settlement(
                DeliveryStatus.DELIVERED,
                reason=outcome.note or None,
                reply_status=outcome.status,
                reply=outcome.reply,
                seconds=seconds,
            )
        status, wait = self._next(prepared, outcome)
        return Settlement(
            status,
            due_at=None if wait is None else now + wait,
            reason=outcome.reason,
            reply_status=outcome.status,
            reply=outcome.reply,
            progress=outcome.progress or prepared.delivery.progress,
            seconds=seconds,
            counts=not (isinstance(outcome, TryLater) and outcome.pause),
        )

    def _next(
        self, prepared: Prepared, error: DeliveryError
    ) -> tuple[DeliveryStatus, timedelta | None]:
        """The state after a failure and how long it waits (None: never by itself)."""
        jitter = secrets.SystemRandom().random()
        # The schedule goes on by failures; a pause that the receiver asked for is none.
        attempts = max(1, prepared.delivery.attempts - self._count(prepared, outbox.PAUSED))
        if isinstance(error, ItemRefused):
            return DeliveryStatus.DEAD, None
        if isinstance(error, ConnectionRefused):
            return DeliveryStatus.HELD, None
        if isinstance(error, OutcomeUnknown):
            again = retry.next_try_of_unknown(
                attempts,
                self._count(prepared, DeliveryStatus.UNKNOWN) + 1,
                is_idempotent=prepared.channel.idempotent,
                jitter=jitter,
            )
            return DeliveryStatus.UNKNOWN, again
        after = error.after if isinstance(error, TryLater) else None
        wait = retry.next_try(attempts, jitter=jitter, after=after)
        return (DeliveryStatus.DEAD if wait is None else DeliveryStatus.RETRY), wait

    def _count(self, prepared: Prepared, outcome: str) -> int:
        """How many attempts so far ended like this."""
        return self.session.scalars(
            select(func.count()).where(
                DeliveryAttempt.delivery_id == prepared.delivery.id,
                DeliveryAttempt.outcome == outcome,
            )
        ).one()

    def _learn(self, place: Destination, outcome: Receipt | DeliveryError, now: datetime) -> None:
        """A place that answers is well; one that fails for days, or says so, is stopped."""
        if isinstance(outcome, Receipt):
            place.failing_since = place.last_failed_at = None
            place.last_delivered_at = now
            return
        if isinstance(outcome, ConnectionRefused):
            self._stop(place, outcome.reason, now)
            return
        since = retry.failing_since(place.failing_since, place.last_failed_at, now)
        place.failing_since, place.last_failed_at = since, now
        if isinstance(outcome, TryLater) and outcome.pause:
            place.paused_until = now + min(
                outcome.after or SHORTEST_PAUSE, retry.LONGEST_RETRY_AFTER
            )
        if retry.five_days_of_failure(since, now, last_failure=now):
            self._stop(place, f"It failed for five days. {outcome.reason}", now)

    def _stop(self, place: Destination, reason: str, now: datetime) -> None:
        """Nothing is sent there until a person mends it; what waits is held."""
        if place.state == outbox.STOPPED:
            return
        place.state, place.reason, place.updated_at = outbox.STOPPED, reason, now
        self.session.flush()
        outbox.hold(self.session, place.id)
        measured = {
            "destination_id": place.id,
            "channel": place.channel,
            "reason": reason,
        }
        outbox.record(self.session, NewFact(FactKind.DESTINATION_STOPPED, now, measured))
        log.warning("a destination was stopped", destination=place.id, channel=place.channel)

    # Summaries

    def make_digests(self, kind: str) -> int:
        """One summary for each destination that wants them of this kind; how many were made."""
        now = self.resources.clock.now()
        made = 0
        for place in self._destinations():
            if place.digest == kind and place.state == outbox.WORKING:
                made += self._make_digest(place, now)
        return made

    def _make_digest(self, place: Destination, now: datetime) -> int:
        waiting = self.session.scalars(
            select(Delivery.id).where(
                Delivery.destination_id == place.id,
                Delivery.status == DeliveryStatus.PENDING,
                Delivery.due_at.is_(None),
                Delivery.digest_id.is_(None),
            )
        ).all()
        if not waiting:
            return 0
        measured = {"destination_id": place.id, "deliveries": len(waiting)}
        (event_id,) = outbox.record(
            self.session, NewFact(FactKind.DIGEST_MADE, now, measured=measured)
        )
        (digest,) = outbox.enqueue(
            self.session,
            event_id,
            "digest",
            [Wanted(place.id, now)],
            lead_id=None,
            now=now,
        )
        self.session.execute(
            update(Delivery).where(Delivery.id.in_(waiting)).values(digest_id=digest)
        )
        return 1


def deliver(prepared: Prepared) -> Receipt:
    """Send one alert while no transaction is open; raises one of `integrations.errors`."""
    return prepared.channel.send(
        prepared.alert,
        prepared.address,
        secrets=prepared.secrets,
        progress=prepared.delivery.progress,
    )


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


def _teaches(place: Destination, outcome: Receipt | DeliveryError, now: datetime) -> bool:
    """Whether an attempt says anything new about its destination."""
    if isinstance(outcome, ItemRefused):
        return False
    seen = place.last_delivered_at
    is_well = place.failing_since is None and seen is not None and now - seen < SEEN_OFTEN
    return not (is_well and isinstance(outcome, Receipt))


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
