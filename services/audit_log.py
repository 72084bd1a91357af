"""AuditLog: who changed what, page by page; reads everything, writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from engine.audit_words import ACTORS
from models import AuditEntry, Person
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
        starts: Sequence[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        before: int | None = None,
    ) -> AuditPage:
        """Entries by exact actor and action, of a kind by how its actions begin, and from `start`
        to before `end`."""
        wanted: list[ColumnElement[bool]] = []
        if actor is not None:
            wanted.append(AuditEntry.actor == actor)
        if action is not None:
            wanted.append(AuditEntry.action == action)
        if starts:
            begins = [AuditEntry.action.startswith(one, autoescape=True) for one in starts]
            wanted.append(or_(*begins))
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
        column = AuditEntry.actor
        found = select(column).distinct().order_by(column).limit(MOST_NAMES)
        return list(self._session.scalars(found))

    def names(self) -> dict[str, str]:
        """What people and programs are called, by how the log speaks of them."""
        found = dict(ACTORS)
        for row in self._session.execute(select(Person.id, Person.email, Person.name)):
            found[f"person {row.id}"] = found[row.email] = row.name
        return found


def _entry(row: AuditEntry) -> Entry:
    return Entry(row.id, row.actor, row.action, row.subject, dict(row.detail), row.recorded_at)
