"""LoginGuard: how often somebody may try to sign in, over all processes together."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.orm import Session

import errors
from lib.crypto import sha256_hex
from models import LoginAttempt
from services.resources import Resources

PER_ACCOUNT, ACCOUNT_WINDOW = 10, timedelta(minutes=15)
PER_ADDRESS, ADDRESS_WINDOW = 100, timedelta(hours=1)


class LoginGuard:
    """Counts each try before it is looked at, so that many at once cannot be more than allowed.

    What it says is the same for accounts that there are and for those that there are not.
    """

    def __init__(self, session: Session, resources: Resources) -> None:
        self._session = session
        self._clock = resources.clock

    def admit(self, account: str, address: str) -> None:
        """Lets one more try in and counts it, or raises TooManyRequests."""
        now, account_sha256 = self._clock.now(), account_mark(account)
        self._lock(account_sha256, address)
        limits = (
            (LoginAttempt.account_sha256 == account_sha256, PER_ACCOUNT, ACCOUNT_WINDOW),
            (LoginAttempt.address == address, PER_ADDRESS, ADDRESS_WINDOW),
        )
        ends = [self._free_again(whose, most, window, now) for whose, most, window in limits]
        until = max(ends)
        if until > now:
            raise _too_many(until - now)
        row = {"account_sha256": account_sha256, "address": address, "tried_at": now}
        self._session.execute(insert(LoginAttempt).values(row))

    def forgive(self, account: str) -> None:
        """Somebody came in rightly: what failed at this account before counts no more."""
        theirs = LoginAttempt.account_sha256 == account_mark(account)
        self._session.execute(delete(LoginAttempt).where(theirs))

    def forget_old(self, limit: int) -> int:
        """Take away tries that no limit counts any more; how many."""
        before = self._clock.now() - max(ACCOUNT_WINDOW, ADDRESS_WINDOW)
        old = select(LoginAttempt.id).where(LoginAttempt.tried_at < before).limit(limit)
        gone = delete(LoginAttempt).where(LoginAttempt.id.in_(old)).returning(LoginAttempt.id)
        return len(self._session.scalars(gone).all())

    def _free_again(
        self, whose: ColumnElement[bool], most: int, window: timedelta, now: datetime
    ) -> datetime:
        """When there is room for one more try; not later than now if there is."""
        newest = (
            select(LoginAttempt.tried_at)
            .where(whose, LoginAttempt.tried_at > now - window)
            .order_by(LoginAttempt.tried_at.desc())
            .limit(most)
        )
        tries = list(self._session.scalars(newest))
        return tries[-1] + window if len(tries) >= most else now

    def _lock(self, *names: str) -> None:
        """Who counts the same waits here; SQLite lets in one writer at a time anyway."""
        if self._session.get_bind().dialect.name == "postgresql":
            for name in names:
                key = func.hashtextextended(f"login:{name}", 0)
                self._session.execute(select(func.pg_advisory_xact_lock(key)))


def account_mark(account: str) -> str:
    """By what an account is counted: nobody reads from it who tried, and what they mistyped."""
    return sha256_hex(account.strip().casefold())


def _too_many(wait: timedelta) -> errors.TooManyRequests:
    seconds = max(1, math.ceil(wait.total_seconds()))
    minutes = math.ceil(seconds / 60)
    unit = "minute" if minutes == 1 else "minutes"
    return errors.TooManyRequests(f"Try again in {minutes} {unit}.", retry_after=seconds)
