"""SignInService: browsers in which somebody is signed in, and how they came to be."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from engine.policy import Permission, Role, may, may_watch
from lib.crypto import sha256_hex
from models import ConsoleSession, Person
from services.resources import Resources

# A browser that nobody uses is signed out, and every one in the end.
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
# The moment of last use is written this often at most: reading a page is no reason to write.
SEEN_EVERY = timedelta(minutes=1)
LONGEST_SHOWN = 255
# Of a session that is over, nobody needs to know where it was.
KEPT_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Browser:
    """A browser in which somebody is signed in, as its owner knows it again."""

    session_id: int
    browser: str
    address: str
    signed_in_at: datetime
    seen_at: datetime


@dataclass(frozen=True)
class Principal:
    """Somebody who is signed in, in one browser."""

    person_id: int
    session_id: int
    email: str
    name: str
    role: Role
    time_zone: str | None
    signed_in_at: datetime
    seen_at: datetime

    def may(self, permission: Permission) -> bool:
        """Whether the role allows it."""
        return may(self.role, permission)

    def may_watch(self, kind: str, requested_by: str) -> bool:
        """Whether they may see how far a job is: by their role, or because they asked for it."""
        return requested_by == self.email or may_watch(self.role, kind)

    @property
    def owner(self) -> str | None:
        """Whose leads alone they see, beside those of nobody; None: all."""
        return None if self.may(Permission.LEADS_ALL) else self.email


class SignInService:
    """Signs people in and out; knows a browser again by its secret."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self._session = session
        self._clock = resources.clock

    def begin(self, person_id: int, *, browser: str, address: str) -> str:
        """The secret of a browser in which this person is signed in from now on."""
        token = secrets.token_urlsafe(32)
        now = self._clock.now()
        self._session.add(
            ConsoleSession(
                token_sha256=sha256_hex(token),
                person_id=person_id,
                browser=browser[:LONGEST_SHOWN],
                address=address[:64],
                created_at=now,
                seen_at=now,
                expires_at=now + LONGEST,
            )
        )
        self._session.flush()
        return token

    def find(self, token: str) -> Principal | None:
        """Who is signed in where this secret is kept; None once that is over."""
        now = self._clock.now()
        row = self._session.execute(
            select(ConsoleSession, Person)
            .join(Person, Person.id == ConsoleSession.person_id)
            .where(ConsoleSession.token_sha256 == sha256_hex(token), *_alive(now))
        ).one_or_none()
        return None if row is None else _principal(*row)

    def touch(self, session_id: int) -> None:
        """Note that a browser is in use."""
        now = self._clock.now()
        mine = (ConsoleSession.id == session_id, ConsoleSession.seen_at < now)
        used = update(ConsoleSession).where(*mine).values(seen_at=now)
        person_id = self._session.scalar(used.returning(ConsoleSession.person_id))
        self._session.execute(update(Person).where(Person.id == person_id).values(last_seen_at=now))

    def list_of(self, person_id: int) -> list[Browser]:
        """Where this person is signed in, the latest used first."""
        now = self._clock.now()
        rows = self._session.scalars(
            select(ConsoleSession)
            .join(Person, Person.id == ConsoleSession.person_id)
            .where(ConsoleSession.person_id == person_id, *_alive(now))
            .order_by(ConsoleSession.seen_at.desc(), ConsoleSession.id.desc())
        )
        return [
            Browser(row.id, row.browser, row.address, row.created_at, row.seen_at) for row in rows
        ]

    def end(self, session_id: int) -> None:
        """Sign one browser out."""
        mine = (ConsoleSession.id == session_id, ConsoleSession.ended_at.is_(None))
        now = self._clock.now()
        self._session.execute(update(ConsoleSession).where(*mine).values(ended_at=now))

    def end_all(self, person_id: int, *, but: int | None = None) -> None:
        """Sign a person out everywhere, or everywhere else."""
        mine = [ConsoleSession.person_id == person_id, ConsoleSession.ended_at.is_(None)]
        if but is not None:
            mine.append(ConsoleSession.id != but)
        now = self._clock.now()
        self._session.execute(update(ConsoleSession).where(*mine).values(ended_at=now))

    def forget_old(self, limit: int) -> int:
        """Take away sessions that have long been over, with their addresses; how many."""
        before = self._clock.now() - KEPT_FOR
        old = select(ConsoleSession.id).where(ConsoleSession.expires_at < before).limit(limit)
        gone = delete(ConsoleSession).where(ConsoleSession.id.in_(old))
        return len(self._session.scalars(gone.returning(ConsoleSession.id)).all())


def _alive(now: datetime) -> tuple[Any, ...]:
    return (
        ConsoleSession.ended_at.is_(None),
        ConsoleSession.expires_at > now,
        ConsoleSession.seen_at > now - IDLE,
        Person.disabled_at.is_(None),
    )


def _principal(held: ConsoleSession, person: Person) -> Principal:
    return Principal(
        person_id=person.id,
        session_id=held.id,
        email=person.email,
        name=person.name,
        role=Role(person.role),
        time_zone=person.time_zone,
        signed_in_at=held.created_at,
        seen_at=held.seen_at,
    )
