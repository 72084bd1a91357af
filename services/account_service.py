"""AccountService: the keys of other programs, and the audit of what anybody changes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

import errors
from engine.policy import scope_to_watch
from engine.vocabulary import Scope, grants
from lib.crypto import same, sha256_hex
from models import ApiKey, AuditEntry
from services.resources import Resources

KEY = re.compile(r"lk_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}")
PREFIX_LETTERS = "23456789abcdefghijkmnpqrstuvwxyz"
LONGEST_NAME = 255
# The moment of last use is written this often at most: reading is no reason to write.
USED_EVERY = timedelta(hours=1)
COMMAND_LINE = "command line"
# Where a unit of work notes that its changes stand in one entry.
AS_ONE = "leadline.audited_as_one"


@dataclass(frozen=True)
class KeyHolder:
    """Another program that has shown a good key, and what it may do."""

    id: int
    name: str
    scopes: frozenset[str]
    last_used_at: datetime | None = None

    def may_watch(self, kind: str, requested_by: str) -> bool:
        """Whether this program may see how far a job is; what it may begin, it may watch."""
        return grants(self.scopes, scope_to_watch(kind))


class AccountService:
    """Who may come in besides visitors: the keys of other programs, each change audited."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self._session = session
        self._clock = resources.clock

    def create_key(
        self,
        name: str,
        scopes: Iterable[str],
        expires_at: datetime | None = None,
        *,
        actor: str = COMMAND_LINE,
    ) -> str:
        """A new key, whole; nobody can see it again, since only its hash is kept."""
        granted = _known_scopes(scopes)
        prefix = "".join(secrets.choice(PREFIX_LETTERS) for _ in range(8))
        key = f"lk_{prefix}_{secrets.token_urlsafe(32)}"
        self._session.add(
            ApiKey(
                name=_named(name),
                prefix=prefix,
                secret_sha256=sha256_hex(key),
                scopes=granted,
                created_at=self._clock.now(),
                expires_at=expires_at,
            )
        )
        self.audit(actor, "key.created", prefix, {"name": name, "scopes": granted})
        self._session.flush()
        return key

    def find_key(self, text: str) -> KeyHolder | None:
        """Who holds this key; None if it is unknown, revoked or past its time."""
        parts = KEY.fullmatch(text)
        if parts is None:
            return None
        row = self._session.scalar(select(ApiKey).where(ApiKey.prefix == parts[1]))
        if row is None or not same(row.secret_sha256, sha256_hex(text)):
            return None
        expired = row.expires_at is not None and row.expires_at <= self._clock.now()
        if expired or row.revoked_at is not None:
            return None
        return KeyHolder(row.id, row.name, frozenset(row.scopes), row.last_used_at)

    def touch_key(self, key_id: int) -> None:
        """Note that a key is in use; of many at once one writes."""
        now = self._clock.now()
        before = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - USED_EVERY)
        used = update(ApiKey).where(ApiKey.id == key_id, before).values(last_used_at=now)
        self._session.execute(used, execution_options={"synchronize_session": False})

    def revoke_key(self, prefix_or_name: str, *, actor: str = COMMAND_LINE) -> int:
        """How many keys of this prefix or name stop working now; NotFound if none is alive."""
        named = or_(ApiKey.prefix == prefix_or_name, ApiKey.name == prefix_or_name)
        rows = self._session.scalars(select(ApiKey).where(named, ApiKey.revoked_at.is_(None))).all()
        if not rows:
            raise errors.NotFound("There is no such key that still works.", code="unknown_key")
        for row in rows:
            row.revoked_at = self._clock.now()
            self.audit(actor, "key.revoked", row.prefix, {"name": row.name})
        self._session.flush()
        return len(rows)

    def list_keys(self) -> list[dict[str, Any]]:
        """Every key there has been, the oldest first, without what would open anything."""
        rows = self._session.scalars(select(ApiKey).order_by(ApiKey.id)).all()
        return [
            {
                "prefix": row.prefix,
                "name": row.name,
                "scopes": list(row.scopes),
                "created_at": row.created_at,
                "expires_at": row.expires_at,
                "revoked_at": row.revoked_at,
                "last_used_at": row.last_used_at,
            }
            for row in rows
        ]

    @contextmanager
    def as_one(self, actor: str, action: str, subject: str) -> Iterator[AuditEntry]:
        """One entry for all that is done in the block, whose detail the caller fills in there."""
        entry = AuditEntry(actor=actor, action=action, subject=subject, detail={})
        with self.unsaid():
            yield entry
        entry.recorded_at = self._clock.now()
        self._session.add(entry)
        self._session.flush()

    @contextmanager
    def unsaid(self) -> Iterator[None]:
        """What is done in the block is told of by another entry than its own."""
        self._session.info[AS_ONE] = True
        try:
            yield
        finally:
            self._session.info.pop(AS_ONE, None)

    def audit(self, actor: str, action: str, subject: str, detail: dict[str, Any]) -> None:
        """Keep who changed what, in the transaction of the change."""
        if self._session.info.get(AS_ONE):
            return
        self._session.add(
            AuditEntry(
                actor=actor,
                action=action,
                subject=subject,
                detail=detail,
                recorded_at=self._clock.now(),
            )
        )


def _known_scopes(scopes: Iterable[str]) -> list[str]:
    """The scopes in the order of our own list, each once."""
    wanted = set(scopes)
    unknown = sorted(wanted - {str(scope) for scope in Scope})
    if unknown:
        raise errors.invalid_field(
            "scopes",
            f"There is no scope {', '.join(unknown)}; there are {', '.join(Scope)}.",
            code="unknown_scope",
        )
    if not wanted:
        raise errors.invalid_field("scopes", "A key needs at least one scope.")
    return [str(scope) for scope in Scope if scope in wanted]


def _named(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_NAME:
        raise errors.invalid_field("name", "A key needs a name of 1 to 255 characters.")
    return name
