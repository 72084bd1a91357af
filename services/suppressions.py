"""Suppressions: people who asked to be forgotten, known again without knowing who they are."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.crypto import hmac_hex
from many_rows import insert_new
from models import Suppression
from services.resources import Resources

SENTENCE = "Somebody of this address or number asked to be forgotten."


class Suppressions:
    """Marks of addresses and numbers: a keyed hash each, of no use to who has not the key.

    They keep a person out of imports. Who comes back by the chat does so by their own will.
    """

    def __init__(self, session: Session, resources: Resources) -> None:
        self._session = session
        self._clock = resources.clock
        self._keys = resources.settings.signing_keys()

    def add(self, *names: str | None) -> int:
        """Remember these e-mails and numbers, as they are compared; how many there were."""
        now = self._clock.now()
        marks = [self._mark(self._keys[0], name) for name in names if name]
        rows = [{"mark": mark, "created_at": now} for mark in marks]
        insert_new(self._session, Suppression, rows)
        return len(rows)

    def known(self, names: Iterable[str | None]) -> set[str]:
        """Those of these e-mails and numbers that are remembered, under this key or the last."""
        if self._session.scalar(select(Suppression.mark).limit(1)) is None:
            return set()
        marks = {self._mark(key, name): name for name in names if name for key in self._keys}
        found = self._session.scalars(select(Suppression.mark).where(Suppression.mark.in_(marks)))
        return {marks[mark] for mark in found}

    @staticmethod
    def _mark(key: str, name: str) -> str:
        return hmac_hex(key, f"suppression\n{name}")
