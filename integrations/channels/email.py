"""Alerts as e-mail to one or several people, each of whom hears of a lead once.

A server may take a letter for one recipient and refuse it for another. Who has it is remembered in
the delivery's progress, so that the next attempt asks for the others only. An attempt whose end
was not heard is repeated with the same Message-ID, by which mail programs know it again.

A follow-up's reminder carries its date as a line of text; an invitation for calendars comes with
the calendar itself.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.channels.base import AddressRefused, Alert, Receipt
from integrations.channels.letter import Envelope, compose, deliverable, message_id
from integrations.errors import ConnectionRefused, DeliveryError, ItemRefused, TryLater
from integrations.smtp import Posted, Refusal, SmtpSettings, post
from lib.clock import Clock
from lib.text import mask_email, shorten, strip_controls

MOST_RECIPIENTS = 20
LONGEST_LIST = MOST_RECIPIENTS * 256
# A relay in the house may know senders that no rule of the internet's would pass.
SENDER = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Progress:
    """Who has the letter and who will never get it, as hashes: a log needs no addresses."""

    sent: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    @classmethod
    def read(cls, plain: Mapping[str, Any] | None) -> Progress:
        """What an earlier attempt left behind; nothing if it left nothing sensible."""
        found = plain or {}
        return cls(_strings(found.get("sent")), _strings(found.get("refused")))

    def after(self, posted: Posted) -> Progress:
        """The same, and what became of these recipients."""
        refused = {_mark(one.recipient) for one in posted.refused if one.is_final}
        return Progress(self.sent | set(map(_mark, posted.accepted)), self.refused | refused)

    def waiting(self, people: Sequence[str]) -> tuple[str, ...]:
        """Those of these people about whom nothing is decided yet."""
        return tuple(one for one in people if _mark(one) not in self.sent | self.refused)

    def plain(self) -> dict[str, list[str]]:
        """As it is kept between two attempts."""
        return {"sent": sorted(self.sent), "refused": sorted(self.refused)}


class Email:
    """The channel `email`: an address is one or several, separated by commas."""

    name = "email"
    # A repeat has the same Message-ID.
    idempotent = True

    def __init__(
        self,
        settings: SmtpSettings,
        clock: Clock,
        app_url: str = "",
        *,
        deadline: float = 15.0,
        tls: ssl.SSLContext | None = None,
        is_test: bool = False,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.app_url = app_url
        self.deadline = deadline
        # Whom we trust to vouch for the server; the system's authorities if nobody is named.
        self.tls = tls
        # Whether the reserved domain .test is a good address.
        self.is_test = is_test

    def check(self, address: str) -> str:
        """The addresses in their usual form, each once; AddressRefused names the bad one."""
        if len(address) > LONGEST_LIST:
            raise AddressRefused(f"At most {MOST_RECIPIENTS} addresses, please.")
        found = dict.fromkeys(self._checked(part) for part in address.split(",") if part.strip())
        if not found:
            raise AddressRefused("An e-mail address is missing, such as sales@example.com.")
        if len(found) > MOST_RECIPIENTS:
            raise AddressRefused(f"At most {MOST_RECIPIENTS} addresses, please.")
        return ", ".join(found)

    def mask(self, address: str) -> str:
        """`s***@e***.com` for each address."""
        return ", ".join(mask_email(one) for one in _people(address))

    def send(
        self,
        alert: Alert,
        address: str,
        *,
        secrets: tuple[str, ...] = (),
        progress: Mapping[str, Any] | None = None,
    ) -> Receipt:
        """Send it to those who do not have it yet; TryLater remembers who has."""
        people = _people(address)
        so_far = Progress.read(progress)
        posted = Posted()
        if waiting := so_far.waiting(people):
            posted = self._post(alert, address, waiting, so_far)
        now = so_far.after(posted)
        if any(not one.is_final for one in posted.refused):
            raise _later(posted, now)
        if not now.sent:
            raise _nobody(posted, now)
        return Receipt(posted.status, posted.reply, _note(people, now, posted.refused))

    def _checked(self, part: str) -> str:
        found = deliverable(part.strip(), is_test=self.is_test)
        if not found:
            shown = shorten(" ".join(strip_controls(part[:400]).split()), 80)
            raise AddressRefused(
                f"“{shown}” is no e-mail address; write it like sales@example.com."
            )
        return found

    def _post(
        self, alert: Alert, address: str, waiting: tuple[str, ...], so_far: Progress
    ) -> Posted:
        if not SENDER.fullmatch(self.settings.sender_address):
            raise ConnectionRefused(
                "SENDER_EMAIL is no e-mail address that alerts could come from."
            )
        envelope = Envelope(
            sender=self.settings.sender or self.settings.user,
            recipients=_people(address),
            message_id=message_id(alert.id, address, self.settings.sender_domain),
            sent_at=self.clock.now(),
            app_url=self.app_url,
        )
        letter = compose(alert, envelope).as_bytes()
        try:
            return post(self.settings, letter, waiting, deadline=self.deadline, tls=self.tls)
        except DeliveryError as error:
            error.progress = so_far.plain()
            raise


def _people(address: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in address.split(",") if part.strip())


def _mark(recipient: str) -> str:
    return hashlib.sha256(recipient.casefold().encode()).hexdigest()[:32]


def _strings(found: Any) -> frozenset[str]:
    if not isinstance(found, (list, tuple)):
        return frozenset()
    return frozenset(one for one in found if isinstance(one, str))


def _later(posted: Posted, now: Progress) -> TryLater:
    first = next(one for one in posted.refused if not one.is_final)
    return TryLater(
        f"The mail server asks to try later for {_shown(posted.refused, is_final=False)}.",
        status=first.status,
        reply=first.reply,
        progress=now.plain(),
    )


def _nobody(posted: Posted, now: Progress) -> ItemRefused:
    last = posted.refused[-1] if posted.refused else None
    return ItemRefused(
        "The mail server refused every recipient for good.",
        status=last.status if last else None,
        reply=last.reply if last else "",
        progress=now.plain(),
    )


def _note(people: Sequence[str], now: Progress, refused: Sequence[Refusal]) -> str:
    """Who did not get it, with the server's words where they were heard in this attempt."""
    words = {one.recipient: f" ({one.status} {shorten(one.reply, 120)})" for one in refused}
    lost = [one for one in people if _mark(one) in now.refused]
    shown = "; ".join(mask_email(one) + words.get(one, "") for one in lost)
    return f"Refused for good: {shown}" if shown else ""


def _shown(refused: Sequence[Refusal], *, is_final: bool) -> str:
    some = [one for one in refused if one.is_final is is_final]
    return ", ".join(f"{mask_email(one.recipient)} ({one.status})" for one in some)
