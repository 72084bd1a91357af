"""Rate limits: what one session and one address may ask for in a minute."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask, Response, current_app, request
from flask_limiter import Limiter, RateLimitExceeded
from limits import RateLimitItem, parse

import errors
from lib import moving_window  # noqa: F401 - registers the storage local://
from lib.crypto import sha256_hex
from services.resources import Resources
from web.errors import error_reply

# An office behind one address holds many visitors.
ADDRESS_FACTOR = 10
SENTENCE = "Too many requests; please wait a moment."
# A store that does not answer costs a visitor a second at most, once, before we count ourselves.
STORE_PATIENCE = {"socket_connect_timeout": 1, "socket_timeout": 1}

log = structlog.get_logger(__name__)


def register(app: Flask, resources: Resources) -> None:
    """Counts every request under /api, /chat and /calendar against its address."""
    settings = resources.settings
    store = settings.RATE_LIMIT_STORAGE_URL
    limiter = Limiter(
        address_key,
        app=app,
        application_limits=[lambda: str(_allowed(app, resources, ADDRESS_FACTOR))],
        storage_uri=store or "local://",
        storage_options=dict(STORE_PATIENCE) if store.startswith("redis") else {},
        strategy="moving-window",
        in_memory_fallback_enabled=bool(store),
        headers_enabled=False,
    )
    limiter.request_filter(_is_free)
    app.extensions["leadline.limiter"] = limiter
    app.register_error_handler(RateLimitExceeded, _too_many)
    if not store and settings.LEADLINE_WORKERS > 1:
        log.info(
            "rate limits are counted in each worker; each allows its share",
            workers=settings.LEADLINE_WORKERS,
            per_minute=settings.RATE_LIMIT_PER_MINUTE,
        )


def count_session(session_id: str, resources: Resources) -> None:
    """Counts this request against its session; TooManyRequests when there were too many."""
    limiter: Limiter = current_app.extensions["leadline.limiter"]
    item = _allowed(current_app, resources, 1)
    keys = ("session", sha256_hex(session_id)[:32])
    try:
        # The address was counted just before, so a store that is away is already known to be.
        within = limiter.limiter.hit(item, *keys)
        reset = 0.0 if within else limiter.limiter.get_window_stats(item, *keys).reset_time
    except Exception as error:
        log.warning("a request could not be counted", exc_info=error)
        return
    if not within:
        resources.metrics.rate_limited.inc()
        raise errors.TooManyRequests(SENTENCE, retry_after=_seconds_until(reset))


def _allowed(app: Flask, resources: Resources, factor: int) -> RateLimitItem:
    """So many a minute; where each worker counts for itself, its share of them."""
    settings = resources.settings
    amount = settings.RATE_LIMIT_PER_MINUTE * factor
    limiter: Limiter = app.extensions["leadline.limiter"]
    shared = settings.RATE_LIMIT_STORAGE_URL and limiter.limiter.storage is limiter.storage
    if not shared:
        amount = max(1, amount // settings.LEADLINE_WORKERS)
    return parse(f"{amount} per minute")


def address_key() -> str:
    """The caller's address, hashed; of IPv6 the network that one customer gets."""
    text = request.remote_addr or "unknown"
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        text = str(ipaddress.ip_network((address, 64), strict=False))
    return sha256_hex(text)[:32]


def _is_free() -> bool:
    return not request.path.startswith(("/api/", "/chat", "/calendar/"))


def _too_many(_error: RateLimitExceeded) -> Response:
    limiter: Limiter = current_app.extensions["leadline.limiter"]
    breached = limiter.current_limit
    resources: Any = current_app.extensions["leadline"]
    resources.metrics.rate_limited.inc()
    reply = error_reply(429, "rate_limited", SENTENCE)
    wait = _quietly(lambda: float(breached.reset_at)) if breached else 0.0
    reply.headers["Retry-After"] = str(_seconds_until(wait))
    return reply


def _quietly(ask: Callable[[], float]) -> float:
    """What the store says, or 0 if it has just gone away: that is no reason for an error."""
    try:
        return ask()
    except Exception as error:
        log.warning("the rate limit store did not answer", exc_info=error)
        return 0.0


def _seconds_until(moment: float) -> int:
    return max(1, math.ceil(moment - time.time()))
