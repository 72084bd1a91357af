"""AccountMail: letters with a one-time link, to somebody who works here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

import outbox
from integrations.channels.letter import Envelope, deliverable, message_id
from integrations.channels.note import compose_note
from integrations.smtp import SmtpSettings
from lib.crypto import sha256_hex
from models import Person
from services.login_guard import account_mark
from services.one_time_links import OneTimeLinks, Purpose
from services.resources import Resources, smtp_settings

KIND = "people.write"
# A mail server that is away is asked again after these pauses.
PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
LINK = "/console/link/"
WORDS: dict[Purpose, tuple[str, str, str]] = {
    Purpose.INVITATION: (
        "Your invitation to Leadline",
        "You are invited to work with the leads of your company in Leadline. Choose a password on"
        " this page; the link works once, for seven days:",
        "If you do not know what this is about, just delete this letter.",
    ),
    Purpose.RESET: (
        "A new password for Leadline",
        "Somebody, probably you, asked for a new password. Choose it on this page; the link works"
        " once, for an hour:",
        "If it was not you, just delete this letter: your password stays as it is.",
    ),
}


@dataclass(frozen=True)
class Letter:
    """A letter that is ready to be handed to the mail server, while no transaction is open."""

    server: SmtpSettings
    recipient: str
    raw: bytes


class AccountMail:
    """Asks for letters, and writes each when it is about to go.

    The link is made only then: no secret waits in a table, and whether there is such an account at
    all is found out where nobody can measure it.
    """

    def __init__(self, session: Session, resources: Resources) -> None:
        self._session = session
        self._resources = resources

    def can_send(self) -> bool:
        """Whether letters leave this house, with links that lead back to it.

        Never by the name that a request came by: who asks for somebody else's password could
        choose it.
        """
        settings = self._resources.settings
        known = bool(settings.APP_URL) and smtp_settings(settings) is not None
        return known and not settings.DEMO_MODE

    def ask_reset(self, email: str) -> None:
        """A letter by which whoever has this address chooses a new password, if anybody does."""
        self._ask(Purpose.RESET, account_mark(email), by="sign-in page")

    def ask_invitation(self, email: str, *, by: str) -> None:
        """A letter that invites somebody who was just entered."""
        self._ask(Purpose.INVITATION, account_mark(email), by=by)

    def write(self, said: Mapping[str, Any]) -> Letter | None:
        """The letter that a job asks for; None where there is nobody to write to."""
        server = smtp_settings(self._resources.settings)
        person = self._whose(str(said["account"]))
        recipient = deliverable(
            person.email if person else None,
            is_test=self._resources.settings.is_development,
        )
        if person is None or server is None or not recipient or not self.can_send():
            return None
        # Who never chose a password and asks for a new one wants the first one.
        purpose = Purpose.RESET if person.password_hash else Purpose.INVITATION
        links = OneTimeLinks(self._session, self._resources)
        token = links.make(purpose, by=str(said["by"]), person_id=person.id)
        return Letter(server, recipient, self._raw(purpose, token, recipient, server))

    def ask_again(self, said: Mapping[str, Any]) -> bool:
        """Have a letter tried once more, later; False when that was often enough."""
        tries = int(said.get("tries", 0))
        if tries >= len(PAUSES):
            return False
        later = self._resources.clock.now() + PAUSES[tries]
        again = {**said, "tries": tries + 1}
        outbox.enqueue_job(
            self._session, KIND, requested_by=str(said["by"]), now=later, payload=again
        )
        return True

    def _ask(self, purpose: Purpose, account: str, *, by: str) -> None:
        now = self._resources.clock.now()
        said = {"purpose": str(purpose), "account": account, "by": by}
        outbox.enqueue_job(self._session, KIND, requested_by=by, now=now, payload=said)

    def _whose(self, account: str) -> Person | None:
        # A handful of people: no column is worth it.
        working = select(Person).where(Person.disabled_at.is_(None)).order_by(Person.id)
        people = self._session.scalars(working)
        return next((one for one in people if account_mark(one.email) == account), None)

    def _raw(self, purpose: Purpose, token: str, recipient: str, server: SmtpSettings) -> bytes:
        settings = self._resources.settings
        subject, what, otherwise = WORDS[purpose]
        envelope = Envelope(
            sender=server.sender or server.user,
            recipients=(recipient,),
            message_id=message_id(sha256_hex(token)[:32], recipient, server.sender_domain),
            sent_at=self._resources.clock.now(),
            app_url=settings.APP_URL,
        )
        link = f"{settings.APP_URL}{LINK}{token}"
        return compose_note(subject, ("Hello,", what, link, otherwise), envelope).as_bytes()
