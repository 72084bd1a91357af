"""The scene of the alerts: workers are killed while they send, and every alert arrives once."""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import func, select

from lib.clock import SystemClock
from models import Delivery, PendingFact
from services.destination_service import Who
from tests.crash.clients import PATIENCE, TRY_AGAIN
from tests.crash.receiver import About, Receiver, receiving
from tests.crash.stage import restart
from tests.crash.workers import Workers, working
from tests.servers.postgres import PostgresServer
from tests.shop import SECRET, Shop, shop

WORKERS = 4
PATHS = ("/sales", "/marketing", "/crm", "/archive")
# What each conversation is worth telling of; "became hot" is news that the relay itself finds.
TRIGGERS = ("demo_requested", "contact_shared", "journey_completed", "became_sql", "became_hot")
PER_TALK = len(PATHS) * len(TRIGGERS)
SAID = ("Restaurant", "Mumbai", "2–5", "₹50K–₹2L", "Billing")
LOOPBACK = "127.0.0.0/8"
# A unit that fails because the database is away is done again; these would hide a fault.
FAULTS = ("a subscriber failed", "a channel failed")
STUCK_AFTER = 60.0  # seconds without any news


@dataclass
class Delivered:
    """What was struck and what arrived."""

    name: str
    kills: int
    restarts: int = 0
    messages: int = 0
    seconds: float = 0.0
    extra: int = 0
    lost: list[About] = field(default_factory=list)
    doubled: list[About] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def most_extra(self) -> int:
        """A kill costs the one message that its worker had in hand; a restart that of each."""
        return self.kills + WORKERS * self.restarts

    @property
    def complaints(self) -> list[str]:
        """Everything that should not be; empty when all is well."""
        said = [f"lost: {about}" for about in self.lost]
        said += [f"told under two ids: {about}" for about in self.doubled]
        if self.extra > self.most_extra:
            said.append(f"{self.extra} extra sends, where {self.most_extra} may be")
        return said + self.also


def kill_senders(
    url: str,
    kills: int,
    *,
    messages: int = 4000,
    lease: float = 6.0,
    postgresql: PostgresServer | None = None,
) -> Delivered:
    """Workers are killed at random moments while visitors talk; the database too, if it is told."""
    name = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
    done = Delivered(f"senders killed ({name})", kills, restarts=1 if postgresql else 0)
    with _stage(url, lease) as (office, receiver, workers):
        talks = -(-messages // PER_TALK)
        blows: list[Callable[[], Any]] = [workers.kill] * kills
        if postgresql is not None:
            server = postgresql
            blows.insert(kills // 2, lambda: restart(server))
        began = time.monotonic()
        visitors = _Visitors(office, talks)
        visitors.start()
        _strike(receiver, blows, talks * PER_TALK, done)
        visitors.join()
        _wait_until_done(office, receiver, talks * PER_TALK)
        done.seconds = time.monotonic() - began
        _judge(done, visitors, receiver, office)
        log = workers.log()
    done.also += [f"the workers' log says: {fault}" for fault in FAULTS if fault in log]
    done.notes.append(f"{log.count('a relay failed')} units of work were begun again")
    return done


@contextlib.contextmanager
def _stage(url: str, lease: float) -> Iterator[tuple[Shop, Receiver, Workers]]:
    with tempfile.TemporaryDirectory(prefix="leadline-crash-") as made:
        folder = Path(made)
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "DATA_DIR": made,
            "SECRET_KEY": SECRET,
            "OUTBOUND_ALLOWED_NETWORKS": LOOPBACK,
        }
        allowed = {"OUTBOUND_ALLOWED_NETWORKS": (LOOPBACK,)}
        with (
            receiving() as receiver,
            shop(url, folder, clock=SystemClock(), **allowed) as office,
        ):
            _subscribe(office, receiver)
            with working(WORKERS, lease, environment, folder) as workers:
                yield office, receiver, workers


def _subscribe(office: Shop, receiver: Receiver) -> None:
    operator = Who("crash tests", is_operator=True)
    for path in PATHS:
        with office.unit() as services:
            data = {"channel": "webhook", "address": receiver.address(path)}
            made = services.destinations.add(data, who=operator)
        receiver.secrets[path] = made["secret"]


class _Refused(Exception):
    """A request that never succeeded; there is no sense in going on."""


class _Visitors(threading.Thread):
    """Conversations one after the other, each request repeated until it is acknowledged."""

    def __init__(self, office: Shop, talks: int) -> None:
        super().__init__(daemon=True)
        self.sessions: list[str] = []
        self.refused: list[str] = []
        self._client: FlaskClient = office.app.test_client()
        self._talks = talks

    def run(self) -> None:
        """Hold them all, or as many as are not refused."""
        with contextlib.suppress(_Refused):
            for number in range(self._talks):
                key = f"talk-of-the-crash-scene-{number}"
                session_id = str(self._post("/api/session/start", key, {})["session_id"])
                self.sessions.append(session_id)
                self._talk(session_id, key)

    def _talk(self, session_id: str, key: str) -> None:
        ours = {"session_id": session_id}
        for number, text in enumerate(SAID, start=1):
            body = {**ours, "question_id": number, "answer_text": text}
            self._post("/api/answer", f"{key}-{number}", body)
        profile = {"name": "Asha Rao", "email": "asha@example.com"}
        self._post("/api/lead/profile", f"{key}-profile", {**ours, "profile_data": profile})
        self._post("/api/behavior", f"{key}-demo", {**ours, "action": "clicked_demo"})

    def _post(self, path: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while True:
            reply = self._client.post(path, json=body, headers={"Idempotency-Key": key})
            if reply.status_code < 300:
                said: dict[str, Any] = reply.json or {}
                return said
            if reply.status_code not in TRY_AGAIN or time.monotonic() > until:
                self.refused.append(f"{path}: {reply.status_code} {reply.text[:200]}")
                raise _Refused
            time.sleep(0.05)


def _strike(
    receiver: Receiver, blows: Sequence[Callable[[], Any]], total: int, done: Delivered
) -> None:
    """Each blow at a random moment, the last one while there is still enough to be done."""
    moments = sorted(random.sample(range(1, total * 19 // 20), len(blows)))
    for moment, blow in zip(moments, blows, strict=True):
        if not receiver.wait_for(moment, STUCK_AFTER):
            done.also.append(f"nothing went on at {receiver.count} of {total} messages")
            return
        time.sleep(random.random() * 0.02)
        blow()


def _wait_until_done(office: Shop, receiver: Receiver, total: int) -> None:
    """Until nothing is left to tell or to send, or nothing has moved for long."""
    count, since = receiver.count, time.monotonic()
    while time.monotonic() < since + STUCK_AFTER:
        if receiver.count >= total and not _waiting(office):
            return
        if receiver.count != count:
            count, since = receiver.count, time.monotonic()
        time.sleep(0.05)


def _waiting(office: Shop) -> int:
    with office.unit() as services:
        facts = services.session.scalar(select(func.count()).select_from(PendingFact))
        unsettled = select(func.count()).where(Delivery.status != "delivered")
        return (facts or 0) + (services.session.scalar(unsettled) or 0)


def _judge(done: Delivered, visitors: _Visitors, receiver: Receiver, office: Shop) -> None:
    expected = {
        (path, session_id, trigger)
        for path in PATHS
        for session_id in visitors.sessions
        for trigger in TRIGGERS
    }
    done.messages = len(receiver.bodies)
    done.extra = receiver.posts - done.messages
    done.lost = sorted(expected - set(receiver.acted))
    done.doubled = sorted(about for about, ids in receiver.acted.items() if len(ids) > 1)
    strange = set(receiver.acted) - expected
    done.also += [f"nobody asked for {about}" for about in sorted(strange)]
    done.also += [*visitors.refused, *receiver.wrong]
    if waiting := _waiting(office):
        done.also.append(f"{waiting} facts or deliveries are not settled")
