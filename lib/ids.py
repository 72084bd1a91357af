"""New identifiers, and the reading of old ones from a path."""

from __future__ import annotations

import re
import secrets

SESSION_PREFIX = "sess_"
# No vowels and no look-alikes: a reference is read out on the phone and must not spell words.
REFERENCE_LETTERS = "23456789bcdfghjkmnpqrstvwxz"
REFERENCE_LENGTH = 16
LARGEST_ID = 2**63 - 1
NUMBER = re.compile(r"[1-9][0-9]{0,18}")


def session_id() -> str:
    """A new session id: 192 random bits, since whoever knows it may write to the session."""
    return SESSION_PREFIX + secrets.token_urlsafe(24)


def public_ref() -> str:
    """A new name for a session that may be shown to anybody; it opens nothing."""
    return "".join(secrets.choice(REFERENCE_LETTERS) for _ in range(REFERENCE_LENGTH))


def request_id() -> str:
    """A new name for one request, by which the logs know it."""
    return secrets.token_hex(16)


def delivery_id() -> str:
    """A new name for a delivery; it holds no dot, so that it can be part of a signed text."""
    return f"dlv_{secrets.token_hex(12)}"


def destination_id() -> str:
    """A new name for a destination."""
    return f"dst_{secrets.token_hex(8)}"


def job_id() -> str:
    """A new name for a piece of background work."""
    return f"job_{secrets.token_hex(12)}"


def import_id() -> str:
    """A new name for a table of leads that somebody sends."""
    return f"imp_{secrets.token_hex(12)}"


def is_ascii_id(text: str) -> int | None:
    """The number a path names, or None if it cannot be an id.

    Plain ASCII digits without a leading zero, so that an id has one spelling only.
    """
    if len(text) > 19 or not NUMBER.fullmatch(text):
        return None
    number = int(text)
    return number if number <= LARGEST_ID else None
