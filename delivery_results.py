"""DeliveryResults: a claimed delivery is sent, and what became of it is written down."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import outbox
from engine import retry
from engine.vocabulary import DeliveryStatus, FactKind
from integrations.channels.base import Alert, Channel, Receipt
from integrations.errors import (
    ConnectionRefused,
    DeliveryError,
    ItemRefused,
    OutcomeUnknown,
    TryLater,
)
from models import Delivery, DeliveryAttempt, Destination
from outbox import NewFact, Settlement

log = structlog.get_logger(__name__)

# Where a place asks for a pause and does not say how long.
SHORTEST_PAUSE = timedelta(seconds=30)
# So exactly people want to know when a place was last reached.
SEEN_OFTEN = timedelta(minutes=1)


@dataclass(frozen=True)
class Prepared:
    """One claimed delivery with everything that sending needs; no row, no session."""

    delivery: Delivery
    channel: Channel
    address: str
    secrets: tuple[str, ...]
    alert: Alert


def deliver(prepared: Prepared) -> Receipt:
    """Send one alert while no transaction is open; raises one of `integrations.errors`."""
    return prepared.channel.send(
        prepared.alert,
        prepared.address,
        secrets=prepared.secrets,
        progress=prepared.delivery.progress,
    )


class DeliveryResults:
    """The delivery's next state, and what its destination learns from an attempt."""

    def __init__(self, session: Session, resources: Any) -> None:
        self.session = session
        self.resources = resources

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


def _teaches(place: Destination, outcome: Receipt | DeliveryError, now: datetime) -> bool:
    """Whether an attempt says anything new about its destination."""
    if isinstance(outcome, ItemRefused):
        return False
    seen = place.last_delivered_at
    is_well = place.failing_since is None and seen is not None and now - seen < SEEN_OFTEN
    return not (is_well and isinstance(outcome, Receipt))
