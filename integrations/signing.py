"""Signatures of webhooks, ours and those we check, by Standard Webhooks 1.0.0.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

By hand, since the published library reads every moment as if it were in UTC, and signs one secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets as random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

PREFIX = "whsec_"
SECRET_BYTES = 32
SHORTEST_KEY = 24
LONGEST_KEY = 64
TOLERANCE = timedelta(minutes=5)
MOST_SIGNATURES = 20
TIMESTAMP = re.compile(r"[0-9]{1,12}")
# An id stands in a header.
IDENTITY = re.compile(r"[!-~]{1,255}")
ID, AT, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


class SignatureRefused(ValueError):
    """A message that we cannot believe; its text says why and holds nothing of the message."""


def new_secret() -> str:
    """A secret that nobody has had before."""
    return PREFIX + base64.b64encode(random.token_bytes(SECRET_BYTES)).decode()


def sign(secrets: Sequence[str], id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of this attempt, signed by each secret; ValueError without a good one."""
    if not secrets:
        raise ValueError("There is no secret to sign with.")
    if at.utcoffset() is None:
        raise ValueError("A moment needs a time zone.")
    if not IDENTITY.fullmatch(id):
        raise ValueError("An id is up to 255 visible ASCII characters.")
    timestamp = str(int(at.timestamp()))
    signatures = (_signature(_key(secret), id, timestamp, body) for secret in secrets)
    return {ID: id, AT: timestamp, SIGNATURE: " ".join(signatures)}


def verify(
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> str:
    """The id of a message that one of the secrets signed just now; else SignatureRefused."""
    told = {name.lower(): value for name, value in headers.items()}
    id, timestamp, given = (told.get(name, "") for name in (ID, AT, SIGNATURE))
    if not (
        given and given.isascii() and IDENTITY.fullmatch(id) and TIMESTAMP.fullmatch(timestamp)
    ):
        raise SignatureRefused("The headers of a signed webhook are missing or malformed.")
    if abs(now.timestamp() - int(timestamp)) > tolerance.total_seconds():
        raise SignatureRefused("The message is too old, or from the future.")
    signatures = given.split(" ", MOST_SIGNATURES)[:MOST_SIGNATURES]
    # Every pair is compared, so that the time taken says nothing of which one fits.
    matches = [
        hmac.compare_digest(_signature(_key(secret), id, timestamp, body).encode(), one.encode())
        for secret in secrets
        for one in signatures
    ]
    if not any(matches):
        raise SignatureRefused("No signature fits.")
    return id


def _key(secret: str) -> bytes:
    """The bytes that a secret stands for; ValueError if they are none, or too few."""
    bare = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        key = b""
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise ValueError(f"A secret is {PREFIX} and the base64 of 24 to 64 bytes.")
    return key


def _signature(key: bytes, id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
