"""The console's cookie: who is signed in in this browser, and that a form is ours."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from flask import Response, g, request

import errors
from services import unit_of_work
from services.sign_in_service import LONGEST, SEEN_EVERY, Principal
from web.unit_of_work import resources

FORM_FIELD, HEADER = "csrf_token", "X-CSRF-Token"
PURPOSE = "console"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_TOKEN = 64
_UNKNOWN = object()


def signed_in() -> Principal | None:
    """Who is signed in in the browser that asks; looked up once a request."""
    found = g.get("principal", _UNKNOWN)
    if found is _UNKNOWN:
        found = g.principal = _find()
    person: Principal | None = found
    return person


def keep_cookie(reply: Response, token: str) -> None:
    """Let this browser keep the secret by which we know it again."""
    reply.set_cookie(
        _cookie_name(),
        token,
        max_age=LONGEST,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def forget_cookie(reply: Response) -> None:
    """Let this browser forget it."""
    reply.delete_cookie(
        _cookie_name(), secure=request.is_secure, httponly=True, samesite="Lax", path="/"
    )


def csrf_token(person: Principal) -> str:
    """What a form of ours carries, and a form of another site cannot know."""
    expires = int((person.signed_in_at + LONGEST + timedelta(minutes=1)).timestamp())
    return resources().signer.sign(PURPOSE, str(person.session_id), expires)


def guard_origin(person: Principal) -> None:
    """Raises Forbidden unless a request that changes something comes from a page of ours."""
    if request.method in SAFE:
        return
    guard_same_origin()
    given = request.headers.get(HEADER) or ""
    if not given and not request.path.startswith("/api/"):
        given = request.form.get(FORM_FIELD, "")
    ours = resources()
    now = int(ours.clock.now().timestamp())
    if not ours.signer.verify(given, PURPOSE, str(person.session_id), now):
        raise errors.Forbidden(
            "This page has been open for too long; load it again and repeat what you did.",
            code="csrf_failed",
        )


def guard_same_origin() -> None:
    """Raises Forbidden for a request that another site made this browser send."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site not in ("same-origin", "none") or (origin is not None and not _is_ours(origin)):
        raise errors.Forbidden("This request comes from another site.", code="cross_site")


def _is_ours(origin: str) -> bool:
    # By the host alone: behind a proxy that ends TLS we may see another scheme than the browser.
    return urlsplit(origin).netloc.lower() == request.host.lower()


def _find() -> Principal | None:
    token = request.cookies.get(_cookie_name(), "")
    if not 32 <= len(token) <= LONGEST_TOKEN or not token.isascii():
        return None
    ours = resources()
    with unit_of_work(ours, read_only=True) as services:
        found = services.sign_ins.find(token)
    if found is not None and ours.clock.now() - found.seen_at >= SEEN_EVERY:
        with unit_of_work(ours) as services:
            services.sign_ins.touch(found.session_id)
    return found


def _cookie_name() -> str:
    """A browser takes the longer name only from us, only over TLS, and for this host alone."""
    return "__Host-leadline" if request.is_secure else "leadline"
