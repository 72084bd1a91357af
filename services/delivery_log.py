"""DeliveryLog: what was sent where, what came back, and a second try by hand."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import DeliveryStatus
from errors import Conflict, NotFound, invalid_field
from lib.clock import iso
from lib.text import is_storable
from models import Delivery, DeliveryAttempt, Destination, PendingFact
from services.account_service import AccountService
from services.resources import Resources

REPLY_SHOWN = 500


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries, and which page of them; the newest first."""

    lead: int | None = None
    destination: str | None = None
    status: str | None = None
    limit: int = 50
    cursor: str | None = None


class DeliveryLog:
    """Deliveries as people see them: addresses masked, replies cut short."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def list_deliveries(self, wanted: DeliveryFilter) -> dict[str, Any]:
        """A page of deliveries and the cursor of the next one (None on the last)."""
        statement = select(Delivery, Destination).join(Destination)
        for column, value in (
            (Delivery.lead_id, wanted.lead),
            (Delivery.destination_id, wanted.destination),
            (Delivery.status, wanted.status),
        ):
            if value is not None:
                statement = statement.where(column == value)
        if wanted.cursor:
            at, last = _read_cursor(wanted.cursor)
            older = and_(Delivery.created_at == at, Delivery.id < last)
            statement = statement.where(or_(Delivery.created_at < at, older))
        statement = statement.order_by(Delivery.created_at.desc(), Delivery.id.desc())
        rows = self.session.execute(statement.limit(wanted.limit + 1)).all()
        page = rows[: wanted.limit]
        following = _cursor(page[-1][0]) if len(rows) > wanted.limit else None
        return {
            "deliveries": [self._view(delivery, place) for delivery, place in page],
            "next_cursor": following,
        }

    def get(self, identifier: str) -> dict[str, Any]:
        """One delivery with every attempt."""
        delivery, place = self._row(identifier)
        attempts = self.session.scalars(
            select(DeliveryAttempt)
            .where(DeliveryAttempt.delivery_id == identifier)
            .order_by(DeliveryAttempt.id)
        )
        view = self._view(delivery, place)
        return {**view, "attempt_log": [_attempt_view(one) for one in attempts]}

    def resend(self, identifier: str, *, actor: str) -> dict[str, Any]:
        """The delivery due again under the same id, so that a receiver can tell a repeat."""
        delivery, place = self._row(identifier)
        if self._is_silent(place):
            raise Conflict(
                "Its destination is switched off or stopped; mend it first.",
                code="destination_stopped",
            )
        if delivery.status == DeliveryStatus.SENDING:
            raise Conflict("It is being sent at this moment.", code="in_progress")
        outbox.send_again(self.session, delivery, self.resources.clock.now())
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, "delivery.resent", identifier, {})
        self.session.refresh(delivery)
        return self._view(delivery, place)

    def queue(self) -> dict[str, Any]:
        """How much waits, how old the oldest is (seconds), and what is stuck; for operators."""
        now = self.resources.clock.now()
        silent = [
            place.id
            for place in self.session.scalars(select(Destination))
            if self._is_silent(place)
        ]
        depth, oldest = self.session.execute(
            select(func.count(), func.min(Delivery.due_at)).where(
                Delivery.due_at <= now, Delivery.destination_id.not_in(silent)
            )
        ).one()
        facts, oldest_fact = self.session.execute(
            select(func.count(), func.min(PendingFact.due_at)).where(PendingFact.due_at <= now)
        ).one()
        stopped = self.session.scalar(
            select(func.count()).where(
                Destination.state == outbox.STOPPED, Destination.deleted_at.is_(None)
            )
        )
        return {
            "deliveries_waiting": depth,
            "oldest_delivery_seconds": _age(oldest, now),
            "facts_waiting": facts,
            "oldest_fact_seconds": _age(oldest_fact, now),
            "destinations_stopped": stopped,
        }

    def _is_silent(self, place: Destination) -> bool:
        """Whether nothing goes to a place now: taken away, switched off, or stopped."""
        is_there = place.deleted_at is None and self.resources.address_of(place) is not None
        return not is_there or not place.enabled or place.state == outbox.STOPPED

    def _row(self, identifier: str) -> tuple[Delivery, Destination]:
        row = self.session.execute(
            select(Delivery, Destination).join(Destination).where(Delivery.id == identifier)
        ).one_or_none()
        if row is None:
            raise NotFound("There is no delivery of this id.", code="unknown_delivery")
        return row[0], row[1]

    def _view(self, delivery: Delivery, place: Destination) -> dict[str, Any]:
        address = self.resources.address_of(place)
        shown = self.resources.channels[place.channel].mask(address) if address else None
        waits = delivery.status in (
            DeliveryStatus.PENDING,
            DeliveryStatus.RETRY,
            DeliveryStatus.UNKNOWN,
        )
        return {
            "id": delivery.id,
            "lead_id": None if delivery.lead_id is None else str(delivery.lead_id),
            "trigger": delivery.trigger,
            "destination": {"id": place.id, "channel": place.channel, "address": shown},
            "destination_id": place.id,
            "channel": place.channel,
            "status": delivery.status,
            "attempts": delivery.attempts,
            "next_try_at": iso(delivery.due_at) if waits and delivery.due_at else None,
            "reason": delivery.reason,
            "reply_status": delivery.reply_status,
            "reply": delivery.reply and delivery.reply[:REPLY_SHOWN],
            "digest_id": delivery.digest_id,
            "created_at": iso(delivery.created_at),
            "settled_at": delivery.settled_at and iso(delivery.settled_at),
        }


def _attempt_view(attempt: DeliveryAttempt) -> Mapping[str, Any]:
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "reply_status": attempt.reply_status,
        "reply": attempt.reply,
        "seconds": round(attempt.seconds, 3),
        "finished_at": iso(attempt.finished_at),
    }


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, (now - moment).total_seconds())


def _cursor(delivery: Delivery) -> str:
    text = json.dumps([delivery.created_at.isoformat(), delivery.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        at, identifier = json.loads(base64.urlsafe_b64decode(padded))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not is_storable(identifier):
            raise ValueError
    except (ValueError, TypeError, binascii.Error, UnicodeError, RecursionError):
        raise invalid_field("cursor", "This cursor is not one of ours.") from None
    return moment, identifier
