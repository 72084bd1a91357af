"""RequestService: the stored reply of an idempotency key, in the transaction of its effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

import errors
from models import Conversation, StoredReply
from services.resources import Resources

KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Stored:
    """A reply that was given before, as it left."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class RequestService:
    """Remembers replies, so that a request that is sent twice has one effect."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self._session = session
        self._clock = resources.clock

    def lock_session(self, session_id: str) -> None:
        """Waits until nobody else writes to this session; on SQLite the transaction is the lock."""
        row = select(Conversation.id).where(Conversation.id == session_id).with_for_update()
        self._session.execute(row)

    def find(self, scope: str, key: str, fingerprint: str) -> Stored | None:
        """The reply to this key in this scope, if it is less than a day old."""
        row = self._row(scope, key)
        if row is None or self._is_over(row):
            return None
        if row.fingerprint != fingerprint:
            raise errors.Invalid(
                "This idempotency key was used for another request; use a new one.",
                code="idempotency_key_reused",
            )
        return Stored(row.status, row.body, dict(row.headers))

    def keep(
        self,
        scope: str,
        key: str,
        fingerprint: str,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Stores the reply to this key, in place of one that is over.

        A reply that is still good is not replaced: the insert then fails, and with it the unit
        of work, as it does when another request was quicker.
        """
        of_this_key = (StoredReply.scope == scope, StoredReply.key == key)
        over = StoredReply.created_at <= self._clock.now() - KEPT_FOR
        self._session.execute(delete(StoredReply).where(*of_this_key, over))
        self._session.execute(
            insert(StoredReply).values(
                scope=scope,
                key=key,
                fingerprint=fingerprint,
                status=status,
                body=body,
                headers=headers or {},
                created_at=self._clock.now(),
            )
        )

    def _row(self, scope: str, key: str) -> StoredReply | None:
        # Locked, so that of two requests that find it over only one replaces it.
        row = select(StoredReply).where(StoredReply.scope == scope, StoredReply.key == key)
        return self._session.scalar(row.with_for_update())

    def _is_over(self, row: StoredReply) -> bool:
        return self._clock.now() - row.created_at >= KEPT_FOR
