"""RequestService: the stored reply of an idempotency key, in the transaction of its effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

import errors
from models import StoredReply
from services.hot_path import Reply, ReplyKey
from services.resources import Resources
from services.session_store import SessionStore, moment, plain

KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Stored:
    """A reply that was given before, as it left."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    fingerprint: str
    created_at: datetime
    stored: Stored


class RequestService:
    """Remembers replies, so that a request that is sent twice has one effect."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self._session = session
        self._clock = resources.clock
        self._store = SessionStore(session, resources)
        self._locked: Any = None

    def lock_session(self, session_id: str, scope: str, key: str) -> None:
        """Waits until nobody else writes to this session, and reads the stored reply with it."""
        self._locked = self._store.lock_with_reply(session_id, ReplyKey(scope, key))

    def find(self, scope: str, key: str, fingerprint: str) -> Stored | None:
        """The reply to this key in this scope, if it is less than a day old."""
        row = self._row(scope, key)
        if row is None:
            return None
        if self._clock.now() - row.created_at >= KEPT_FOR:
            self._session.execute(
                delete(StoredReply).where(StoredReply.scope == scope, StoredReply.key == key)
            )
            return None
        if row.fingerprint != fingerprint:
            raise errors.Invalid(
                "This idempotency key was used for another request; use a new one.",
                code="idempotency_key_reused",
            )
        return row.stored

    def keep(
        self,
        scope: str,
        key: str,
        fingerprint: str,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Stores the reply to this key, together with a step that waits to be written.

        Where another request was quicker the insert fails, and with it the unit of work.
        """
        reply = Reply(scope, key, fingerprint, status, body, dict(headers or {}))
        if self._store.keep_reply(reply):
            return
        self._session.execute(
            insert(StoredReply).values(
                scope=scope,
                key=key,
                fingerprint=fingerprint,
                status=status,
                body=body,
                headers=dict(reply.headers),
                created_at=self._clock.now(),
            )
        )

    def _row(self, scope: str, key: str) -> _Row | None:
        if self._locked is not None:
            return _of_session(self._locked)
        # Locked, so that of two requests that find it over only one replaces it.
        statement = select(StoredReply).where(StoredReply.scope == scope, StoredReply.key == key)
        found = self._session.scalar(statement.with_for_update())
        if found is None:
            return None
        stored = Stored(found.status, found.body, dict(found.headers))
        return _Row(found.fingerprint, found.created_at, stored)


def _of_session(row: Mapping[str, Any]) -> _Row | None:
    """The stored reply that was read together with its session."""
    if row["reply_fingerprint"] is None:
        return None
    stored = Stored(row["reply_status"], bytes(row["reply_body"]), plain(row["reply_headers"]))
    return _Row(row["reply_fingerprint"], moment(row["reply_created_at"]), stored)
