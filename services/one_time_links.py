"""OneTimeLinks: doors that open once: the first admin's, an invitation's, a new password's."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

import errors
from lib.crypto import sha256_hex
from models import OneTimeLink, Person
from services.resources import Resources

KEPT_FOR = timedelta(days=30)
LONGEST_TOKEN = 64


class Purpose(StrEnum):
    """What a link is for."""

    SET_UP = "set_up"
    INVITATION = "invitation"
    RESET = "reset"


LIVES: dict[Purpose, timedelta] = {
    Purpose.SET_UP: timedelta(minutes=30),
    Purpose.INVITATION: timedelta(days=7),
    Purpose.RESET: timedelta(hours=1),
}
# What somebody reads who comes with a link that is good no more: what to do.
USED = {
    Purpose.SET_UP: "If it was not you, ask the operator to run: flask --app main list-users",
    Purpose.INVITATION: "If it was not you, tell whoever invited you.",
    Purpose.RESET: "If it was not you, tell your administrator.",
}
EXPIRED = {
    Purpose.SET_UP: "Get a new one: restart Leadline, or run: flask --app main set-up-link",
    Purpose.INVITATION: "Ask whoever invited you for a new one.",
    Purpose.RESET: "Ask for a new one on the page “Forgot your password?”.",
}


@dataclass(frozen=True)
class Door:
    """A link that is still good, and for whom."""

    id: int
    purpose: Purpose
    person_id: int | None
    email: str
    name: str


class OneTimeLinks:
    """Makes links, of which only the hash is kept, and opens each of them once."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self._session = session
        self._clock = resources.clock

    def make(self, purpose: Purpose, *, by: str, person_id: int | None = None) -> str:
        """The token of a new link; a set-up link before it opens nothing from now on."""
        now, token = self._clock.now(), secrets.token_urlsafe(32)
        if purpose is Purpose.SET_UP:
            self.close(purpose)
        self._session.add(
            OneTimeLink(
                token_sha256=sha256_hex(token),
                purpose=str(purpose),
                person_id=person_id,
                created_by=by,
                created_at=now,
                expires_at=now + LIVES[purpose],
            )
        )
        self._session.flush()
        return token

    def make_set_up(self, *, by: str) -> str | None:
        """The token of a link for the first admin; None once somebody works here."""
        people = self._session.scalar(select(func.count()).select_from(Person)) or 0
        return None if people else self.make(Purpose.SET_UP, by=by)

    def look(self, token: str) -> Door:
        """What a link opens; NotFound says why it opens nothing, and what to do."""
        row = self._find(token)
        purpose = Purpose(row.purpose)
        person = self._session.get(Person, row.person_id) if row.person_id else None
        is_over = row.expires_at <= self._clock.now()
        if row.used_at is not None or (purpose is Purpose.SET_UP and self._has_people()):
            raise _used(purpose)
        if is_over or (person is not None and person.disabled_at is not None):
            sentence = f"This link has expired. {EXPIRED[purpose]}"
            raise errors.NotFound(sentence, code="link_expired")
        email, name = (person.email, person.name) if person else ("", "")
        return Door(row.id, purpose, row.person_id, email, name)

    def open(self, token: str) -> Door:
        """What the link opened: whoever comes with it later finds it used, even a moment later."""
        door = self.look(token)
        now = self._clock.now()
        if door.purpose is Purpose.SET_UP:
            self._only_first()
        mine = (
            OneTimeLink.id == door.id,
            OneTimeLink.used_at.is_(None),
            # It may have been closed since it was looked at.
            OneTimeLink.expires_at > now,
        )
        used = update(OneTimeLink).where(*mine).values(used_at=now)
        if self._session.scalar(used.returning(OneTimeLink.id)) is None:
            raise _used(door.purpose)
        return door

    def close(self, *purposes: Purpose, person_id: int | None = None) -> None:
        """Links of these purposes, of one person or of nobody in particular, open nothing more."""
        now = self._clock.now()
        whose = OneTimeLink.person_id == person_id if person_id else OneTimeLink.person_id.is_(None)
        good = (OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > now)
        named = OneTimeLink.purpose.in_([str(one) for one in purposes])
        self._session.execute(update(OneTimeLink).where(named, whose, *good).values(expires_at=now))

    def forget_old(self, limit: int) -> int:
        """Take away links that could be explained to nobody any more; how many."""
        before = self._clock.now() - KEPT_FOR
        old = select(OneTimeLink.id).where(OneTimeLink.expires_at < before).limit(limit)
        gone = delete(OneTimeLink).where(OneTimeLink.id.in_(old)).returning(OneTimeLink.id)
        return len(self._session.scalars(gone).all())

    def _only_first(self) -> None:
        """Two servers that start at once each make a set-up link: of both, one makes an admin."""
        good = (OneTimeLink.purpose == str(Purpose.SET_UP), OneTimeLink.used_at.is_(None))
        waiting = select(OneTimeLink.id).where(*good).order_by(OneTimeLink.id).with_for_update()
        self._session.execute(waiting)
        if self._has_people():
            raise _used(Purpose.SET_UP)

    def _find(self, token: str) -> OneTimeLink:
        row = None
        if token.isascii() and len(token) <= LONGEST_TOKEN:
            row = self._session.scalar(
                select(OneTimeLink).where(OneTimeLink.token_sha256 == sha256_hex(token))
            )
        if row is None:
            raise errors.NotFound(
                "There is no such link. Was all of it copied? If so, ask for a new one.",
                code="unknown_link",
            )
        return row

    def _has_people(self) -> bool:
        return self._session.scalar(select(Person.id).limit(1)) is not None


def _used(purpose: Purpose) -> errors.NotFound:
    sentence = f"This link has been used. If that was you, just sign in. {USED[purpose]}"
    return errors.NotFound(sentence, code="link_used")
