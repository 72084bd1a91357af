"""CalendarFeeds: secret addresses at which a calendar program reads somebody's follow-ups."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from alert_contents import follow_up_entry
from engine.policy import Permission, Role, may
from errors import Conflict, NotFound
from lib.calendar_file import write_calendar
from lib.crypto import sha256_hex
from models import CalendarFeed, FollowUp, Lead, Person
from services.account_service import AccountService
from services.calendar_service import whose
from services.lead_visibility import is_visible
from services.resources import Resources

MOST_FEEDS = 5
MOST_ENTRIES = 500
# What lies further back is no plan any more.
OLDEST = timedelta(days=30)
# The moment of the last reading is written this often at most: reading is no reason to write.
READ_EVERY = timedelta(hours=1)
LONGEST_TOKEN = 64


@dataclass(frozen=True)
class Feed:
    """An address as its owner sees it: never the secret."""

    id: int
    created_at: datetime
    read_at: datetime | None


@dataclass(frozen=True)
class Reader:
    """Whose follow-ups an address shows."""

    feed_id: int
    email: str
    name: str
    # Whether it is time to write down that it was read.
    is_news: bool


class CalendarFeeds:
    """Makes, shows, reads and revokes the addresses of a person."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def make(self, person_id: int) -> str:
        """The secret of a new address; nobody can see it again, since only its hash is kept."""
        if len(self.list_all(person_id)) >= MOST_FEEDS:
            raise Conflict(f"There are {MOST_FEEDS} addresses already; revoke one first.")
        token, now = secrets.token_urlsafe(32), self.resources.clock.now()
        row = CalendarFeed(token_sha256=sha256_hex(token), person_id=person_id, created_at=now)
        self.session.add(row)
        self.session.flush()
        self._audit(person_id, "calendar_feed.made", row.id)
        return token

    def list_all(self, person_id: int) -> list[Feed]:
        """The addresses of a person that still work, the oldest first."""
        rows = self.session.scalars(
            select(CalendarFeed)
            .where(CalendarFeed.person_id == person_id, CalendarFeed.revoked_at.is_(None))
            .order_by(CalendarFeed.id)
        )
        return [Feed(row.id, row.created_at, row.read_at) for row in rows]

    def revoke(self, person_id: int, feed_id: int) -> None:
        """An address of this person's shows nothing any more."""
        row = self.session.get(CalendarFeed, feed_id)
        if row is None or row.person_id != person_id or row.revoked_at is not None:
            raise NotFound("There is no such address.", code="unknown_feed")
        row.revoked_at = self.resources.clock.now()
        self.session.flush()
        self._audit(person_id, "calendar_feed.revoked", row.id)

    def find(self, token: str) -> Reader | None:
        """Who reads with this secret; None once it is revoked, or the person may not any more."""
        if not 32 <= len(token) <= LONGEST_TOKEN or not token.isascii():
            return None
        found = self.session.execute(
            select(CalendarFeed, Person)
            .join(Person, Person.id == CalendarFeed.person_id)
            .where(
                CalendarFeed.token_sha256 == sha256_hex(token),
                CalendarFeed.revoked_at.is_(None),
                Person.disabled_at.is_(None),
            )
        ).one_or_none()
        if found is None or not may(Role(found[1].role), Permission.LEADS_PERSONAL):
            return None
        feed, person = found
        now = self.resources.clock.now()
        is_news = feed.read_at is None or now - feed.read_at >= READ_EVERY
        return Reader(feed.id, person.email, person.name, is_news)

    def touch(self, feed_id: int) -> None:
        """Note that an address was read."""
        one = update(CalendarFeed).where(CalendarFeed.id == feed_id)
        self.session.execute(one.values(read_at=self.resources.clock.now()))

    def write(self, reader: Reader) -> bytes:
        """The file: what is still to be done, with the lead's name, company and the note."""
        since = self.resources.clock.now() - OLDEST
        rows = self.session.execute(
            select(FollowUp, Lead)
            .join(Lead, Lead.id == FollowUp.lead_id)
            .where(
                *is_visible(),
                whose(reader.email),
                FollowUp.done_at.is_(None),
                FollowUp.due_at >= since,
            )
            .order_by(FollowUp.due_at, FollowUp.id)
            .limit(MOST_ENTRIES)
        )
        entries = [follow_up_entry(row, lead, self.resources) for row, lead in rows]
        return write_calendar(entries, name="Leadline follow-ups")

    def _audit(self, person_id: int, action: str, feed_id: int) -> None:
        person = self.session.get_one(Person, person_id)
        accounts = AccountService(self.session, self.resources)
        accounts.audit(person.email, action, f"calendar feed {feed_id}", {})
