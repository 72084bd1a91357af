"""AuditLog: who changed what, page by page; reads everything, writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from models import AuditEntry
from services.resources import Resources

PAGE = 50
MOST_NAMES = 200


@dataclass(frozen=True)
class Entry:
    """One change, as it was written down in the transaction that made it."""

    id: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    recorded_at: datetime


@dataclass(frozen=True)
class AuditPage:
    """Some entries, the newest first, and the id after which the next page goes on."""

    entries: tuple[Entry, ...]
    older_than: int | None


class AuditLog:
    """The audit as an administrator reads it."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self._session = session

    def page(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        before: int | None = None,
    ) -> AuditPage:
        """Entries by exact actor and action, and from `start` to before `end`."""
        wanted: list[ColumnElement[bool]] = []
        if actor is not None:
            wanted.append(AuditEntry.actor == actor)
        if action is not None:
            wanted.append(AuditEntry.action == action)
        if start is not None:
            wanted.append(AuditEntry.recorded_at >= start)
        if end is not None:
            wanted.append(AuditEntry.recorded_at < end)
        if before is not None:
            wanted.append(AuditEntry.id < before)
        newest = select(AuditEntry).where(*wanted).order_by(AuditEntry.id.desc()).limit(PAGE + 1)
        rows = list(self._session.scalars(newest))
        last = rows[PAGE - 1].id if len(rows) > PAGE else None
        return AuditPage(tuple(_entry(row) for row in rows[:PAGE]), last)

    def actors(self) -> list[str]:
        """Everybody who changed anything."""
        return self._names(AuditEntry.actor)

    def actions(self) -> list[str]:
        """Everything that was done."""
        return self._names(AuditEntry.action)

    def _names(self, column: Any) -> list[str]:
        found = select(column).distinct().order_by(column).limit(MOST_NAMES)
        return list(self._session.scalars(found))


def _entry(row: AuditEntry) -> Entry:
    return Entry(row.id, row.actor, row.action, row.subject, dict(row.detail), row.recorded_at)
