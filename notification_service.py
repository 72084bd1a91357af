"""NotificationService: who hears what and when; what they read is in alert_contents.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

import outbox
from alert_contents import PERSONAL, AlertContents
from delivery_results import DeliveryResults, Prepared
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
from engine.vocabulary import DeliveryStatus, FactKind
from integrations.channels.base import Receipt
from integrations.errors import DeliveryError
from lib.on_class import on_class
from models import (
    Delivery,
    Destination,
    Event,
    Lead,
    LeadScore,
    UserBehavior,
    WorkspaceSetting,
)
from outbox import NewFact, Settlement, Wanted

# What a script asked for in this unit; sent by whoever commits it, when no relay runs beside.
ASKED = "leadline.asked"
ALERTS = "alerts"
ENVIRONMENT = "environment"


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

    # On its way

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
        alert = AlertContents(self.session, self.resources).worded(delivery)
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

    def settle(
        self, prepared: Prepared, outcome: Receipt | DeliveryError, seconds: float
    ) -> DeliveryStatus:
        """Write down one attempt; the destination learns from it too."""
        return DeliveryResults(self.session, self.resources).settle(prepared, outcome, seconds)

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
