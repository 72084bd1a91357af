"""One request, one transaction; `services()`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Response, current_app, g
from sqlalchemy.exc import DBAPIError, IntegrityError

from database import session_scope
from services import Services, unit_of_work
from services.lead_visibility import see_only
from services.request_service import Stored
from services.resources import Resources

TRIES = 3
# Serialisation failure and deadlock: PostgreSQL asks for the whole unit again.
PLEASE_REPEAT = frozenset({"40001", "40P01"})
# A unique row that another request wrote first (PostgreSQL's code, SQLite's two).
ALREADY_THERE = frozenset({"23505", 2067, 1555})
KEPT_HEADERS = ("Content-Type", "Location")


@dataclass(frozen=True)
class Secret:
    """The fields of a reply that are never stored, and how a replay gets fresh ones."""

    fields: tuple[str, ...]
    renew: Callable[[dict[str, Any]], dict[str, Any]] = field(default=lambda reply: {})


@dataclass(frozen=True)
class Once:
    """A request that is to have one effect, however often it is sent."""

    scope: str
    key: str
    fingerprint: str
    session_id: str | None = None
    secret: Secret | None = None


def resources() -> Resources:
    """What lives as long as the process, for the application of this request."""
    found: Any = current_app.extensions["leadline"]
    assert isinstance(found, Resources)
    return found


def services() -> Services:
    """The use cases of this request, all in its one transaction."""
    found: Services = g.services
    return found


def perform(work: Callable[[], Response], *, writes: bool, once: Once | None = None) -> Response:
    """The reply of `work`, after its transaction is committed; a failed commit is an error.

    The unit is run again where the database asks for it, and where another request was quicker
    to write a row that may be there once only: the second run finds that row.
    """
    tries = TRIES if writes else 1
    for attempt in range(1, tries + 1):
        try:
            return _attempt(work, writes=writes, once=once)
        except DBAPIError as error:
            if attempt == tries or not _may_repeat(error):
                raise
    raise AssertionError("the last attempt returns or raises")


def is_database_there() -> bool:
    """Whether the database answers; looked at within the limits of one connection."""
    try:
        with session_scope(resources().engine, read_only=True) as session:
            session.connection().exec_driver_sql("SELECT 1")
    except Exception:
        # Away, full, starting or misnamed: for whoever asks, these are one thing.
        return False
    return True


def find_queue() -> dict[str, float] | None:
    """How much waits to be told, sent and run; None while the database cannot say."""
    try:
        with unit_of_work(resources(), read_only=True) as ours:
            return {**ours.deliveries.queue(), "jobs_waiting": ours.jobs.waiting()}
    except Exception:
        # As above; and a database that is not migrated has no queue.
        return None


def _attempt(work: Callable[[], Response], *, writes: bool, once: Once | None) -> Response:
    here = resources()
    with unit_of_work(here, read_only=not writes) as ours:
        g.services = ours
        if g.get("only_for"):
            see_only(ours.session, g.only_for)
        try:
            return work() if once is None else _once(once, work)
        finally:
            g.pop("services", None)


def _once(once: Once, work: Callable[[], Response]) -> Response:
    requests = services().requests
    if once.session_id is not None:
        requests.lock_session(once.session_id, once.scope, once.key)
    stored = requests.find(once.scope, once.key, once.fingerprint)
    if stored is not None:
        return _replayed(stored, once.secret)
    reply = work()
    if 200 <= reply.status_code < 300:
        headers = {name: reply.headers[name] for name in KEPT_HEADERS if name in reply.headers}
        body = _without_secret(reply.get_data(), once.secret)
        requests.keep(once.scope, once.key, once.fingerprint, reply.status_code, body, headers)
    return reply


def _without_secret(body: bytes, secret: Secret | None) -> bytes:
    if secret is None:
        return body
    said = json.loads(body)
    kept = {name: value for name, value in said.items() if name not in secret.fields}
    return _dumped(kept)


def _replayed(stored: Stored, secret: Secret | None) -> Response:
    body = stored.body
    if secret is not None:
        said = json.loads(body)
        body = _dumped({**said, **secret.renew(said)})
    reply = Response(body, status=stored.status, headers=stored.headers)
    reply.headers["Idempotent-Replayed"] = "true"
    return reply


def _dumped(said: dict[str, Any]) -> bytes:
    return current_app.json.dumps(said).encode()


def _may_repeat(error: DBAPIError) -> bool:
    code = getattr(error.orig, "pgcode", None) or getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(error, IntegrityError):
        return code in ALREADY_THERE
    return code in PLEASE_REPEAT
