"""Alerts for programs: JSON, signed as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

Every attempt carries the same `webhook-id` and body and is signed anew, so that a receiver can tell
a repeat from news and refuse what is old.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from integrations.channels.base import Alert, Receipt
from integrations.errors import ConnectionRefused, ItemRefused
from integrations.http import HttpDoor, HttpReply, later_or_refused
from integrations.signing import sign
from lib.clock import Clock, iso
from lib.text import shorten

# Receivers are advised to take 20 KB.
MOST_BYTES = 20_000
# How long one text and one list may be: the first pair with which the message fits counts.
ROOM = ((2_000, 100), (500, 50), (100, 20), (40, 5))
DEEPEST = 6


class Webhook:
    """The channel `webhook`: any program of a customer that takes a signed POST."""

    name = "webhook"
    idempotent = True

    def __init__(self, door: HttpDoor, clock: Clock) -> None:
        self._door = door
        self._clock = clock

    def check(self, address: str) -> str:
        """The address in its usual form; AddressRefused says why it cannot be one."""
        return self._door.check(address)

    def mask(self, address: str) -> str:
        """`https://hooks.example.com/…`: all behind the host may be a secret."""
        try:
            parts = urlsplit(address)
            return f"{parts.scheme}://{parts.hostname}/…" if parts.hostname else "…"
        except ValueError:
            return "…"

    def send(
        self,
        alert: Alert,
        address: str,
        *,
        secrets: tuple[str, ...] = (),
        progress: Mapping[str, Any] | None = None,
    ) -> Receipt:
        """Post the alert, signed by each secret; never without a signature."""
        body = body_of(alert)
        try:
            headers = sign(secrets, alert.id, self._clock.now(), body)
        except ValueError:
            raise ConnectionRefused(
                "This webhook has no usable secret; make it a new one."
            ) from None
        headers |= {"Content-Type": "application/json", "Idempotency-Key": alert.id}
        reply = self._door.post(address, body=body, headers=headers)
        self._judge(reply, urlsplit(address).hostname or "The webhook")
        return Receipt(reply.status, reply.text)

    def _judge(self, reply: HttpReply, host: str) -> None:
        """Nothing if the message was taken; else what the receiver means."""
        wish = reply.headers.get("webhook-delivery", "").strip().lower()
        if wish == "abort-message" and not 200 <= reply.status < 300:
            raise ItemRefused(
                f"{host} asks not to be sent this message again ({reply.status}).",
                status=reply.status,
                reply=reply.text,
            )
        later_or_refused(reply, now=self._clock.now(), what=host)


def body_of(alert: Alert) -> bytes:
    """The message as JSON, the same for every attempt, with long texts cut until it is small."""
    for text, items in ROOM:
        body = _json(_message(alert, text, items))
        if len(body) <= MOST_BYTES:
            return body
    # What a program needs at least: it can ask our API for the rest.
    return _json(_message(alert, *ROOM[-1], bare=True))


def _message(alert: Alert, text: int, items: int, *, bare: bool = False) -> dict[str, Any]:
    """The envelope, and the alert or the alerts of a digest as its data."""
    data = _told(alert, text, items, bare=bare)
    if alert.items:
        shown = alert.items[:items]
        data["items"] = [_told(item, text, items, bare=bare) for item in shown]
        data["left_out"] = len(alert.items) - len(shown)
    return {
        "type": f"lead.{alert.trigger}",
        "timestamp": iso(alert.occurred_at),
        "data": data,
    }


def _told(alert: Alert, text: int, items: int, *, bare: bool) -> dict[str, Any]:
    """One alert: what its makers put in, and what it always has."""
    payload = {} if bare else _plain(alert.payload, text, items)
    return {
        **payload,
        "id": alert.id,
        "trigger": alert.trigger,
        "title": shorten(_plain(alert.title, text, items), text),
        "occurred_at": iso(alert.occurred_at),
        # Ids are strings on our wire.
        "lead_id": None if alert.lead_id is None else str(alert.lead_id),
        "url": alert.url,
    }


def _plain(value: Any, text: int, items: int, depth: int = 0) -> Any:
    """The value as any receiver's JSON reader takes it, no part longer than the room for it."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth < DEEPEST and isinstance(value, Mapping):
        some = list(value.items())[:items]
        return {_text(name, text): _plain(one, text, items, depth + 1) for name, one in some}
    if depth < DEEPEST and isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(one, text, items, depth + 1) for one in value[:items]]
    return _text(value, text)


def _text(value: Any, room: int) -> str:
    """The text without what databases and strict readers refuse: NUL and lone surrogates."""
    # Cut first: a visitor's text may have megabytes.
    some = str(value)[: room + 1].replace("\0", "")
    return shorten(some.encode("utf-8", "replace").decode(), room)


def _json(message: Mapping[str, Any]) -> bytes:
    text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()
