"""Facts out of a transaction, deliveries into the world: record, enqueue, claim, settle, replay.

A fact is written in the transaction that made it true. Whoever must react is told later by the
relay, so that no Slack, CRM or alert rule can slow or spoil a visitor's answer. A delivery is
claimed for the time of a lease, sent while no transaction is open, and settled; who is killed in
between leaves a lease that runs out. Nothing is ever found by "greater than the last id": numbers
are given before transactions end, and what ends late would be missed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import and_, case, delete, func, insert, literal, null, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from database import Base
from engine.vocabulary import RELAYED, DeliveryStatus, JobStatus
from lib.ids import delivery_id, job_id
from many_rows import insert_many
from models import Delivery, DeliveryAttempt, Destination, Event, Job, PendingFact

# How long who has claimed something may take; longer than any sending's time limit.
LEASE = timedelta(seconds=60)
# Somebody who failed over a fact hears of it again so much later, then twice as late …
LISTEN_AGAIN, LONGEST_SILENCE = timedelta(seconds=30), timedelta(hours=6)
# At most so many leases of one destination at a time: a slow one must leave room for the others.
AT_ONCE = 4
WORKING, STOPPED = "working", "stopped"
# The outcome of an attempt after which the receiver asked for a pause: no failure.
PAUSED = "paused"
# What goes out by itself even where a place wants digests.
NEVER_GATHERED = ("digest", "test")
_DONE = (DeliveryStatus.DELIVERED, DeliveryStatus.DEAD)
_EVENTS = Base.metadata.tables[Event.__tablename__]
_RECORD = insert(_EVENTS).returning(_EVENTS.c.id, sort_by_parameter_order=True)
# Where a unit of work notes that somebody must hear of it.
RANG = "leadline.rang"


# Facts


@dataclass(frozen=True)
class NewFact:
    """Something that has just happened, in its two halves.

    `measured` holds what rules and counts read (ids, lengths, seconds), `personal` what was typed;
    erasure blanks the second and leaves the first.
    """

    kind: str
    occurred_at: datetime
    measured: Mapping[str, Any] = field(default_factory=dict)
    personal: Mapping[str, Any] | None = None
    lead_id: int | None = None
    session_id: str | None = None
    seq: int | None = None
    workflow_version: int | None = None
    arms: Mapping[str, str] | None = None
    idempotency_key: str | None = None
    recorded_at: datetime | None = None


def record(session: Session, *facts: NewFact) -> list[int]:
    """Write facts into the log, in this transaction; their numbers in the log."""
    if not facts:
        return []
    session.flush()
    rows = [_row(fact) for fact in facts]
    ids = list(session.connection().execute(_RECORD, rows).scalars())
    _to_relay(session, zip(ids, facts, strict=True))
    return ids


class HeardFact(NamedTuple):
    """A fact of a lead that is news to nobody: one of very many, so it is no more than a row."""

    kind: str
    lead_id: int
    measured: Any
    personal: Any
    occurred_at: datetime
    recorded_at: datetime


def record_heard(session: Session, facts: Iterable[HeardFact]) -> None:
    """Write many facts of leads that are news to nobody; no conversation of theirs is known."""
    insert_many(session, Event, HeardFact._fields, facts)


def record_once(session: Session, fact: NewFact) -> int | None:
    """Write a fact whose idempotency key is not in the log yet; None when it is."""
    assert fact.idempotency_key, "only a key tells a repeat from news"
    statement = (
        _insert(session)(Event).values(_row(fact)).on_conflict_do_nothing().returning(Event.id)
    )
    event_id = session.scalar(statement)
    if event_id is not None:
        _to_relay(session, [(event_id, fact)])
    return event_id


def facts_of(sessions: Sequence[str]) -> Any:
    """The statement that reads the numbered facts of sessions, without what was typed."""
    return (
        select(Event.session_id, Event.seq, Event.kind, Event.measured)
        .where(Event.session_id.in_(sessions), Event.seq.is_not(None))
        .order_by(Event.session_id, Event.seq)
    )


def ring(session: Session) -> None:
    """Have the relay woken once this unit is committed."""
    session.info[RANG] = True


def _row(fact: NewFact) -> dict[str, Any]:
    return {
        "kind": str(fact.kind),
        "lead_id": fact.lead_id,
        "session_id": fact.session_id,
        "seq": fact.seq,
        "measured": dict(fact.measured),
        "personal": dict(fact.personal) if fact.personal else None,
        "occurred_at": fact.occurred_at,
        "recorded_at": fact.recorded_at or fact.occurred_at,
        "workflow_version": fact.workflow_version,
        "arms": dict(fact.arms) if fact.arms else None,
        "idempotency_key": fact.idempotency_key,
    }


def _to_relay(session: Session, recorded: Iterable[tuple[int, NewFact]]) -> None:
    rows = [
        {
            "event_id": event_id,
            "due_at": fact.recorded_at or fact.occurred_at,
            "attempts": 0,
        }
        for event_id, fact in recorded
        if fact.kind in RELAYED
    ]
    if rows:
        session.execute(insert(PendingFact), rows)
        ring(session)


# Facts to those who react


def take_facts(session: Session, now: datetime, limit: int) -> list[Event]:
    """Facts that somebody must hear of, locked until this unit ends, in the order of the log.

    Of a queue longer than the limit half of them are the oldest, half the newest: who has just
    come must not wait behind a hundred thousand imported leads.
    """
    # What nobody was told yet is due, whatever the clock said that wrote it.
    due = or_(PendingFact.attempts == 0, PendingFact.due_at <= now)
    waiting = select(PendingFact.event_id).where(due).with_for_update(skip_locked=True)
    ids = session.scalars(waiting.order_by(PendingFact.event_id).limit(limit)).all()
    if len(ids) == limit:
        newest = waiting.order_by(PendingFact.event_id.desc()).limit(limit // 2)
        ids = [*ids[: limit // 2], *session.scalars(newest)]
    return list(session.scalars(select(Event).where(Event.id.in_(ids)).order_by(Event.id)))


def all_heard(session: Session, event_ids: Sequence[int]) -> None:
    """Everybody has heard of these facts."""
    session.execute(delete(PendingFact).where(PendingFact.event_id.in_(event_ids)))


def tell_again(session: Session, event_ids: Sequence[int], now: datetime, error: str) -> None:
    """Somebody failed over these facts: they are told once more, each time later, for ever."""
    waiting = session.scalars(select(PendingFact).where(PendingFact.event_id.in_(event_ids)))
    for row in waiting:
        row.due_at = now + min(LISTEN_AGAIN * 2**row.attempts, LONGEST_SILENCE)
        row.attempts, row.error = row.attempts + 1, error
    session.flush()


# Deliveries


@dataclass(frozen=True)
class Wanted:
    """One destination that is to hear of a fact, and from when on it may."""

    destination_id: str
    due_at: datetime | None
    status: DeliveryStatus = DeliveryStatus.PENDING


def enqueue(
    session: Session,
    event_id: int,
    trigger: str,
    wanted: Sequence[Wanted],
    *,
    lead_id: int | None,
    now: datetime,
) -> list[str]:
    """A delivery of a fact for each destination that has none of it yet; the new ones' ids."""
    rows = [
        {
            "id": delivery_id(),
            "event_id": event_id,
            "destination_id": one.destination_id,
            "lead_id": lead_id,
            "trigger": str(trigger),
            "status": str(one.status),
            "attempts": 0,
            "due_at": one.due_at,
            "created_at": now,
        }
        for one in wanted
    ]
    if not rows:
        return []
    statement = (
        _insert(session)(Delivery).values(rows).on_conflict_do_nothing().returning(Delivery.id)
    )
    ids = list(session.scalars(statement))
    if ids:
        ring(session)
    return ids


def claim(
    session: Session,
    now: datetime,
    *,
    limit: int = 10,
    lease: timedelta = LEASE,
    only: Sequence[str] | None = None,
    except_for: Sequence[str] = (),
) -> list[Delivery]:
    """Deliveries of one destination that are due, now this caller's for the time of the lease.

    Others skip what is locked here; a lease that ran out makes a row due again. `only` restricts
    to deliveries that a script has just asked for, `except_for` leaves destinations to others.
    """
    destination_id = session.scalar(_next_destination(now, only, except_for))
    if destination_id is None:
        return []
    due = select(Delivery.id).where(
        Delivery.destination_id == destination_id, Delivery.due_at <= now
    )
    if only is not None:
        due = due.where(Delivery.id.in_(only))
    ids = session.scalars(
        due.order_by(Delivery.due_at, Delivery.id).limit(limit).with_for_update(skip_locked=True)
    ).all()
    claimed = session.scalars(
        update(Delivery)
        .where(Delivery.id.in_(ids), Delivery.due_at <= now)
        .values(
            status=str(DeliveryStatus.SENDING),
            attempts=Delivery.attempts + 1,
            due_at=now + lease,
            lease=secrets.token_hex(16),
        )
        .returning(Delivery),
        execution_options={"populate_existing": True},
    ).all()
    return sorted(claimed, key=lambda row: (row.created_at, row.id))


def _next_destination(now: datetime, only: Sequence[str] | None, except_for: Sequence[str]) -> Any:
    """The destination that has waited longest, can be reached, and is not busy enough already."""
    other = aliased(Delivery)
    busy = (
        select(func.count(func.distinct(other.lease)))
        .where(
            other.destination_id == Destination.id,
            other.due_at > now,
            other.status == DeliveryStatus.SENDING,
        )
        .scalar_subquery()
    )
    due = [Delivery.due_at <= now]
    if only is not None:
        due.append(Delivery.id.in_(only))
    return (
        select(Destination.id)
        .join(Delivery, and_(Delivery.destination_id == Destination.id, *due))
        .where(
            Destination.enabled,
            Destination.deleted_at.is_(None),
            Destination.id.not_in(except_for),
            Destination.state == WORKING,
            or_(Destination.paused_until.is_(None), Destination.paused_until <= now),
            busy < AT_ONCE,
        )
        .group_by(Destination.id)
        .order_by(func.min(Delivery.due_at))
        .limit(1)
    )


def give_back(session: Session, delivery: Delivery, now: datetime) -> None:
    """A claimed delivery that was not tried after all; due at once, the try not counted."""
    _settled(
        session,
        delivery,
        {
            "status": str(DeliveryStatus.PENDING),
            "due_at": now,
            "attempts": Delivery.attempts - 1,
        },
    )


@dataclass(frozen=True)
class Settlement:
    """What became of one attempt, and when the next one is due (None: never by itself)."""

    status: DeliveryStatus
    due_at: datetime | None = None
    reason: str | None = None
    reply_status: int | None = None
    reply: str | None = None
    progress: Mapping[str, Any] | None = None
    seconds: float = 0.0
    # Whether the schedule of retries goes on; a pause that the vendor asked for is no failure.
    counts: bool = True


def settle(session: Session, delivery: Delivery, result: Settlement, now: datetime) -> bool:
    """Write down an attempt and its result; False when the lease had gone to somebody else."""
    final = result.due_at is None
    values: dict[str, Any] = {
        "status": str(result.status),
        "due_at": result.due_at,
        "lease": None,
        "reason": result.reason,
        "reply_status": result.reply_status,
        "reply": result.reply,
        "progress": dict(result.progress) if result.progress else None,
        "settled_at": now if final else None,
    }
    is_ours = _settled(session, delivery, values)
    session.add(
        DeliveryAttempt(
            delivery_id=delivery.id,
            number=delivery.attempts,
            outcome=str(result.status) if result.counts else PAUSED,
            reason=result.reason,
            reply_status=result.reply_status,
            # Who lost the lease may have lost it to an erasure, and replies can quote a lead.
            reply=result.reply if is_ours else None,
            seconds=result.seconds,
            finished_at=now,
        )
    )
    if is_ours and final:
        _settle_digested(session, delivery.id, str(result.status), now)
    return is_ours


def _settled(session: Session, delivery: Delivery, values: Mapping[str, Any]) -> bool:
    """Whether the row was still this lease's."""
    result = session.execute(
        update(Delivery)
        .where(Delivery.id == delivery.id, Delivery.lease == delivery.lease)
        .values(**values)
        .returning(Delivery.id),
        execution_options={"synchronize_session": False},
    )
    return result.scalar_one_or_none() is not None


def _settle_digested(session: Session, digest_id: str, status: str, now: datetime) -> None:
    """What a digest carried shares its fate."""
    session.execute(
        update(Delivery)
        .where(Delivery.digest_id == digest_id)
        .values(status=status, settled_at=now)
    )


def hold(session: Session, destination_id: str) -> None:
    """Keep everything that waits for a destination until somebody mends it."""
    _of_destination(
        session,
        destination_id,
        (DeliveryStatus.PENDING, DeliveryStatus.RETRY),
        {"status": str(DeliveryStatus.HELD), "due_at": None},
    )


def release(session: Session, destination_id: str, now: datetime, *, gathers: bool) -> None:
    """Send what was held, in the order in which it came; what belongs in a digest waits for it.

    `gathers` says whether the place wants digests; if it does not, nothing waits for one any more.
    """
    pending = str(DeliveryStatus.PENDING)
    gathered = [Delivery.digest_id.is_not(None)]
    if gathers:
        gathered.append(Delivery.trigger.not_in(NEVER_GATHERED))
    session.execute(
        update(Delivery)
        .where(
            Delivery.destination_id == destination_id,
            or_(
                Delivery.status == str(DeliveryStatus.HELD),
                and_(Delivery.status == pending, Delivery.due_at.is_(None)),
            ),
        )
        .values(
            status=pending,
            due_at=case((or_(*gathered), null()), else_=literal(now, Delivery.due_at.type)),
        )
    )
    ring(session)


def drop(session: Session, destination_id: str, reason: str, now: datetime) -> None:
    """Nothing more goes to a destination that somebody took away."""
    _of_destination(
        session,
        destination_id,
        [one for one in DeliveryStatus if one not in _DONE],
        {
            "status": str(DeliveryStatus.DEAD),
            "due_at": None,
            "lease": None,
            "reason": reason,
            "settled_at": now,
        },
    )


def _of_destination(
    session: Session,
    destination_id: str,
    statuses: Sequence[DeliveryStatus],
    values: Mapping[str, Any],
) -> None:
    session.execute(
        update(Delivery)
        .where(
            Delivery.destination_id == destination_id,
            Delivery.status.in_([str(status) for status in statuses]),
        )
        .values(**values)
    )


def send_again(session: Session, delivery: Delivery, now: datetime) -> None:
    """Make a delivery due at once under its own id, whatever became of it before."""
    session.execute(
        update(Delivery)
        .where(Delivery.id == delivery.id)
        .values(
            status=str(DeliveryStatus.PENDING),
            due_at=now,
            lease=None,
            attempts=0,
            settled_at=None,
            digest_id=None,
        )
    )
    ring(session)


def cancel(session: Session, lead_id: int, reason: str, now: datetime) -> None:
    """Nobody hears of an erased lead any more, and what receivers said of it is forgotten."""
    waiting = [str(status) for status in DeliveryStatus if status not in _DONE]
    ended = {"status": str(DeliveryStatus.DEAD), "due_at": None, "lease": None}
    session.execute(
        update(Delivery)
        .where(Delivery.lead_id == lead_id, Delivery.status.in_(waiting))
        .values(**ended, reason=reason, settled_at=now)
    )
    of_lead = select(Delivery.id).where(Delivery.lead_id == lead_id)
    carriers = select(Delivery.digest_id).where(
        Delivery.lead_id == lead_id, Delivery.digest_id.is_not(None)
    )
    for table, key in ((DeliveryAttempt, DeliveryAttempt.delivery_id), (Delivery, Delivery.id)):
        told = update(table).where(or_(key.in_(of_lead), key.in_(carriers)))
        session.execute(told.values(reply=None), execution_options={"synchronize_session": "fetch"})


# Jobs


def enqueue_job(
    session: Session,
    kind: str,
    *,
    requested_by: str,
    now: datetime,
    payload: Mapping[str, Any] | None = None,
) -> str:
    """Have something done in the background; the id under which it can be watched."""
    identifier = job_id()
    session.execute(
        insert(Job).values(
            id=identifier,
            kind=kind,
            status=str(JobStatus.QUEUED),
            payload=dict(payload or {}),
            done=0,
            attempts=0,
            due_at=now,
            requested_by=requested_by,
            created_at=now,
        )
    )
    ring(session)
    return identifier


def _insert(session: Session) -> Any:
    """The INSERT of the dialect at hand, which knows ON CONFLICT."""
    name = session.get_bind().dialect.name
    return postgresql.insert if name == "postgresql" else sqlite.insert
