"""What chats have in common that take a message by one POST of JSON and answer at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from integrations.channels.base import Alert, Receipt
from integrations.errors import TryLater
from integrations.http import HttpDoor, HttpReply, later_or_refused
from lib.clock import Clock

HEADERS = {"Content-Type": "application/json"}
SHOWN = 4


class ChatWebhook:
    """A channel whose address is a webhook; each vendor adds its message and its answers."""

    name: ClassVar[str]
    # A repeat cannot be told from news: none of them knows an idempotency key.
    idempotent = False
    # What an address of the vendor looks like; its group is the part that alone opens nothing.
    number: ClassVar[re.Pattern[str] | None] = None

    def __init__(self, door: HttpDoor, clock: Clock) -> None:
        self._door = door
        self._clock = clock

    def check(self, address: str) -> str:
        """The address in its usual form; any host, since others take the same messages."""
        return self._door.check(address)

    def mask(self, address: str) -> str:
        """The host, and the end of the webhook's number where the vendor gives it one."""
        parts = urlsplit(address)
        found = self.number.fullmatch(address) if self.number else None
        hint = f"{found[1][-SHOWN:]}/…" if found else ""
        return f"{parts.scheme}://{parts.hostname or ''}/…{hint}"

    def send(
        self,
        alert: Alert,
        address: str,
        *,
        secrets: tuple[str, ...] = (),
        progress: Mapping[str, Any] | None = None,
    ) -> Receipt:
        """Post the alert; raises one of `integrations.errors` when it did not succeed."""
        reply = self._door.post(self.target(address), body=self.body(alert), headers=HEADERS)
        self.judge(reply, self._clock.now())
        return self.receipt(reply)

    def target(self, address: str) -> str:
        """Where the message is posted."""
        return address

    def body(self, alert: Alert) -> bytes:
        """The message as it is sent."""
        raise NotImplementedError

    def judge(self, reply: HttpReply, now: datetime) -> None:
        """Nothing if the message was taken; else raises what the answer means."""
        later_or_refused(reply, now=now, what=self.name.capitalize())
        if is_page(reply):
            reason = "A web page answered; if this stays so, the address is not that of a webhook."
            raise TryLater(reason, status=reply.status, reply=reply.text)

    def receipt(self, reply: HttpReply) -> Receipt:
        """What the log keeps of an answer that was a yes."""
        return Receipt(reply.status, reply.text)


def as_json(message: Mapping[str, Any]) -> bytes:
    """The message as short as JSON can be."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def said(reply: HttpReply) -> dict[str, Any]:
    """The object that the vendor answered; an empty one if the answer is none."""
    found = reply.json()
    return found if isinstance(found, dict) else {}


def is_page(reply: HttpReply) -> bool:
    """Whether the answer is a web page, thus not from the vendor's interface."""
    # By its words: Slack calls its plain "ok" text/html.
    return reply.text.lstrip()[:1] == "<"
