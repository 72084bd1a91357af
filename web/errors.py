"""Error kinds to statuses; the JSON error or a page."""

from __future__ import annotations

import html
from typing import Any

import flask
import marshmallow
import structlog
from flask import Flask, Response, g, request
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    TimeoutError as PoolTimeout,
)
from werkzeug.exceptions import HTTPException

import errors
from web.body import invalid

STATUSES: dict[type[errors.LeadlineError], int] = {
    errors.Malformed: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Invalid: 422,
    errors.TooManyRequests: 429,
    errors.Unavailable: 503,
}
# What the framework refuses by itself: our code and sentence for each status.
REFUSALS = {
    400: ("malformed_request", "The request cannot be read."),
    401: ("unauthorized", "This needs a credential."),
    403: ("forbidden", "This is not allowed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method."),
    413: ("too_large", "The body is larger than this address takes."),
    415: ("unsupported_media_type", "This address takes JSON, or a form where it takes a file."),
    422: ("validation_failed", "What was sent is not valid."),
    429: ("rate_limited", "Too many requests; please wait a moment."),
    503: ("unavailable", "This cannot be served just now; please try again."),
}
INTERNAL = ("internal", "Something went wrong on our side; please try again.")
ALWAYS_JSON = ("/api/", "/health", "/metrics")
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>{title}</h1><p>{message}</p><p>Request {request_id}</p></main></body></html>
"""

log = structlog.get_logger(__name__)


class ErrorDetail(marshmallow.Schema):
    """What every error says."""

    code = marshmallow.fields.String(required=True)
    message = marshmallow.fields.String(required=True)
    by_field = marshmallow.fields.Dict(
        keys=marshmallow.fields.String(),
        values=marshmallow.fields.List(marshmallow.fields.String()),
        data_key="fields",
    )
    request_id = marshmallow.fields.String()


class Error(marshmallow.Schema):
    """The one shape of an error."""

    error = marshmallow.fields.Nested(ErrorDetail, required=True)


def register(app: Flask) -> None:
    """Makes every error of this application leave in our shape."""
    app.after_request(_without_page)
    app.register_error_handler(errors.LeadlineError, _refused)
    app.register_error_handler(marshmallow.ValidationError, lambda error: _refused(invalid(error)))
    app.register_error_handler(HTTPException, _refused_by_framework)
    app.register_error_handler(DBAPIError, _database_trouble)
    app.register_error_handler(PoolTimeout, _database_away)
    app.register_error_handler(Exception, _unexpected)


def wants_json() -> bool:
    """Whether the caller is a program: under /api always, elsewhere unless it prefers a page."""
    if f"{request.path}/".startswith(tuple(f"{path.rstrip('/')}/" for path in ALWAYS_JSON)):
        return True
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return best != "text/html"


def error_reply(
    status: int, code: str, message: str, fields: dict[str, list[str]] | None = None
) -> Response:
    """The reply that says what is wrong, as JSON or as a small page."""
    if not wants_json():
        return _page(status, message)
    said: dict[str, Any] = {"code": code, "message": message}
    if fields:
        said["fields"] = fields
    said["request_id"] = _request_id()
    text = flask.json.dumps({"error": said})
    return Response(text, status=status, mimetype="application/json")


def _without_page(reply: Response) -> Response:
    """A redirect as its address alone: the framework's comes with a page, under /api as well."""
    if reply.status_code == 308 and reply.mimetype == "text/html":
        reply.set_data(b"")
        del reply.headers["Content-Type"]
    return reply


def _refused(error: errors.LeadlineError) -> Response:
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)
    if status == 500:
        return _unexpected(error)
    reply = error_reply(status, error.code, error.message, error.fields)
    if isinstance(error, errors.TooManyRequests | errors.Unavailable):
        reply.headers["Retry-After"] = str(max(1, error.retry_after))
    if status == 401:
        reply.headers["WWW-Authenticate"] = "Bearer"
    return reply


def _refused_by_framework(error: HTTPException) -> HTTPException | Response:
    if error.response is not None or error.code is None or error.code < 400:
        return error  # A redirect, or a reply that somebody has already written.
    code, message = REFUSALS.get(error.code, ("refused", f"{error.name}."))
    if error.code == 500:
        code, message = INTERNAL
    reply = error_reply(error.code, code, message)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            reply.headers[name] = value
    if error.code in (429, 503):
        reply.headers.setdefault("Retry-After", "1")
    return reply


def _database_trouble(error: DBAPIError) -> Response:
    if _is_full(error):
        log.error("the disk under the database is full", exc_info=error)
        return _away("storage_full", "There is no room to store this; please try again later.")
    away = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    if away:
        return _database_away(error)
    if isinstance(error, DataError):
        # Shapes are checked before; what only the database finds is still the caller's value.
        log.error("a value reached the database that it cannot hold", exc_info=error)
        return error_reply(422, "validation_failed", "A value is too long or too large to store.")
    return _unexpected(error)


def _database_away(error: Exception) -> Response:
    log.warning("the database cannot serve this request", exc_info=error)
    return _away("unavailable", "This cannot be served just now; please try again.")


def _away(code: str, message: str) -> Response:
    reply = error_reply(503, code, message)
    reply.headers["Retry-After"] = "1"
    return reply


def _is_full(error: DBAPIError) -> bool:
    """Whether the disk is full: 53100 in PostgreSQL, SQLITE_FULL (13) in SQLite."""
    original = error.orig
    code = getattr(original, "pgcode", None) or getattr(original, "sqlite_errorcode", None)
    return code in ("53100", 13)


def _unexpected(error: Exception) -> Response:
    if flask.current_app.testing and isinstance(error, AssertionError):
        raise error  # In tests, a promise of ours that was not kept.
    log.error("a request failed", exc_info=error)
    return error_reply(500, *INTERNAL)


def _page(status: int, message: str) -> Response:
    title = f"Error {status}"
    text = PAGE.format(title=title, message=html.escape(message), request_id=_request_id())
    return Response(text, status=status, mimetype="text/html")


def _request_id() -> str:
    return str(g.get("request_id", ""))
