"""Digests, comparisons in constant time, and signed tokens that expire."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence

TOKEN = re.compile(r"v1\.([0-9a-f]{8})\.(0|[1-9][0-9]{0,15})\.([A-Za-z0-9_-]{43})")
LONGEST_TOKEN = 3 + 9 + 17 + 43


def sha256_hex(text: str | bytes) -> str:
    """The SHA-256 digest of a text (as UTF-8) or of bytes, in lower-case hex."""
    return hashlib.sha256(_bytes(text)).hexdigest()


def same(left: str | bytes, right: str | bytes) -> bool:
    """Whether two secrets are equal, found out in a time that says nothing about them."""
    return hmac.compare_digest(_bytes(left), _bytes(right))


def hmac_hex(key: str | bytes, message: str | bytes) -> str:
    """The HMAC-SHA256 of a message under a key, in lower-case hex."""
    return hmac.digest(_bytes(key), _bytes(message), "sha256").hex()


def short_hash(text: str) -> str:
    """Eight hex digits by which a log can tell two secrets apart without knowing either."""
    return sha256_hex(text)[:8]


class TokenSigner:
    """Signs `v1.<key id>.<expiry>.<mac>` tokens for a purpose and a subject, and checks them.

    The first key signs, all verify, so that a key can be changed while its tokens are out.
    Empty keys are left out: there often is no previous one.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple((sha256_hex(key)[:8], key) for key in keys if key)
        if not self._keys:
            raise ValueError("A signer needs at least one key.")

    def sign(self, purpose: str, subject: str, expires: int) -> str:
        """A token that is good for this purpose and subject until `expires` (Unix seconds)."""
        key_id, key = self._keys[0]
        token = f"v1.{key_id}.{expires}.{_mac(key, purpose, subject, str(expires))}"
        if not TOKEN.fullmatch(token):
            raise ValueError("An expiry is a whole number of seconds, not below zero.")
        return token

    def knows_key_of(self, token: str) -> bool:
        """Whether a token names a key that is in use; that says nothing about its signature."""
        parts = TOKEN.fullmatch(token) if len(token) <= LONGEST_TOKEN else None
        return parts is not None and any(known == parts[1] for known, _ in self._keys)

    def verify(self, token: str, purpose: str, subject: str, now: int) -> bool:
        """Whether we signed exactly this for them, and it has not expired at `now`."""
        parts = TOKEN.fullmatch(token) if len(token) <= LONGEST_TOKEN else None
        if parts is None:
            return False
        key_id, expires, mac = parts.groups()
        good = [
            same(mac, _mac(key, purpose, subject, expires))
            for known, key in self._keys
            if known == key_id
        ]
        return any(good) and now < int(expires)


def _mac(key: str, purpose: str, subject: str, expires: str) -> str:
    if "|" in purpose:
        # The bar parts the signed fields; the purpose is ours, the subject may hold anything.
        raise ValueError("A purpose must not contain a bar.")
    message = _bytes(f"{purpose}|v1|{subject}|{expires}")
    digest = hmac.new(_bytes(key), message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _bytes(text: str | bytes) -> bytes:
    # A caller's text may hold a lone surrogate; refusing it is the check's answer, not a crash.
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
