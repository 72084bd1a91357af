"""Security headers and CORS; the request's id, its log line and its time."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack

import structlog
from flask import Flask, Response, current_app, g, request
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix

from lib.ids import request_id
from lib.logging import bound_request
from services.resources import Resources

SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
FOR_DATA = "default-src 'none'; frame-ancestors 'none'"
FOR_PAGES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# What a page on a customer's site calls: the widget's endpoints and the visitor's own record.
# It is no part of who may call what, which web/auth.py decides: curl knows no origin.
WIDGET_PATHS = (
    r"/api/(?:session/start|questions|answer|behavior|lead/profile|product-menu|cta-options"
    r"|widget/config|ab-test/.+|lead/summary/[^/]+|score/[^/]+)\Z"
)
TAKEN = ["Content-Type", "Idempotency-Key", "X-Visitor-Token", "X-Request-Id"]
EXPOSED = ["Idempotent-Replayed", "Retry-After", "X-Request-Id"]

log = structlog.get_logger("leadline.access")


def register(app: Flask, resources: Resources) -> None:
    """Gives every request an id and a log line, and every reply its headers."""
    proxies = resources.settings.TRUSTED_PROXIES
    if proxies:
        # Not the host: a proxy that does not set it would hand on what the caller claims.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0, x_port=0, x_prefix=0
        )
    app.before_request(_begin)
    app.after_request(_protected)
    app.after_request(_allowed)
    app.after_request(lambda reply: _told(reply, resources))
    app.teardown_request(_end)
    _allow_origins(app, resources.settings.CORS_ORIGINS)


def _allowed(reply: Response) -> Response:
    """OPTIONS names the methods of the route that it met, not those of one whose id it may be."""
    rule = request.url_rule
    if request.method == "OPTIONS" and rule is not None and "Allow" in reply.headers:
        same = (one for one in current_app.url_map.iter_rules() if one.rule == rule.rule)
        reply.headers["Allow"] = ", ".join(
            sorted(set().union(*(one.methods or () for one in same)))
        )
    return reply


def _allow_origins(app: Flask, origins: tuple[str, ...]) -> None:
    # As patterns of our own: the library would read an address with brackets as one of its own.
    # `*` is echoed as the origin it stands for, so that `null` (any sandboxed frame) is none.
    texts = [r"https?://.+" if origin == "*" else re.escape(origin) for origin in origins]
    patterns = [re.compile(rf"{text}\Z", re.IGNORECASE) for text in texts]
    CORS(
        app,
        resources={
            WIDGET_PATHS: {
                "origins": patterns or [re.compile(r"(?!)")],
                "methods": ["GET", "POST"],
                "allow_headers": TAKEN,
                "expose_headers": EXPOSED,
                "supports_credentials": False,
                "max_age": 600,
            }
        },
    )


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if SANE_ID.fullmatch(given) else request_id()
    g.started = time.perf_counter()
    g.log_context = ExitStack()
    g.log_context.enter_context(bound_request(g.request_id))


def _end(_error: BaseException | None) -> None:
    context: ExitStack | None = g.pop("log_context", None)
    if context is not None:
        context.close()


def _protected(reply: Response) -> Response:
    """The reply with what keeps browsers from misusing it; a view's own header wins."""
    headers = reply.headers
    headers["X-Request-Id"] = str(g.get("request_id", ""))
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    if "Content-Security-Policy" not in headers:
        page = reply.mimetype in ("text/html", "image/svg+xml")
        headers["Content-Security-Policy"] = FOR_PAGES if page else FOR_DATA
        headers.setdefault("X-Frame-Options", "DENY")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.path.startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")
    if re.match(WIDGET_PATHS, request.path):
        # Also where no origin was allowed: a cache must not hand that reply to one that is.
        reply.vary.add("Origin")
    return reply


def _told(reply: Response, resources: Resources) -> Response:
    """The reply, counted and logged: the rule and no path, for a path may name a session."""
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    rule = request.url_rule.rule if request.url_rule else None
    resources.metrics.observe_request(rule, request.method, reply.status_code, seconds)
    told = {"session": g.session_id} if g.get("session_id") else {}
    log.info(
        "request",
        method=request.method if len(request.method) <= 10 else "other",
        route=rule or "unmatched",
        status=reply.status_code,
        ms=round(seconds * 1000, 1),
        **told,
    )
    return reply
