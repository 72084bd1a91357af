"""A small application of the edge alone: every part of it, and a few endpoints to try it on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import marshmallow
import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import fields
from sqlalchemy import Engine

import errors as refusals
from config import Settings
from database import session_scope
from engine.vocabulary import Scope
from lib.clock import SettableClock
from services.account_service import AccountService
from services.resources import Resources
from web import endpoints, errors, headers, limits
from web.api import health
from web.auth import Access, reader, visitor_token
from web.endpoints import Api
from web.unit_of_work import Secret, services

SECRET = "p4Wq8Zr1Ty6Ui3Op9As2Df5Gh7Jk0Lz"
START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
MakeApp = Callable[..., Flask]


class Profile(marshmallow.Schema):
    """Something nested."""

    class Meta:
        unknown = marshmallow.INCLUDE

    email = fields.Email()


class NoteIn(marshmallow.Schema):
    """What a note takes."""

    session_id = fields.String(required=True)
    question_id = fields.Integer(required=True)
    answer_text = fields.Raw()
    profile_data = fields.Nested(Profile)


class NoteOut(marshmallow.Schema):
    """What a note gives."""

    session_id = fields.String(required=True)
    count = fields.Integer(required=True)


class StartIn(marshmallow.Schema):
    """What a start takes."""

    utm_source = fields.String()


class FilterIn(marshmallow.Schema):
    """What a list takes."""

    limit = fields.Integer(load_default=50, validate=marshmallow.validate.Range(1, 200))
    q = fields.String()


def edge_api() -> Api:
    """Endpoints that use everything the decorator offers; each effect is one audited key."""
    api = Api("edge", __name__, description="Endpoints to try the edge on.")

    @api.endpoint(
        "POST",
        "/api/session/start",
        body=StartIn,
        body_optional=True,
        status=201,
        access=Access.WIDGET,
        secret=Secret(
            ("visitor_token",), lambda said: {"visitor_token": visitor_token(said["session_id"])}
        ),
    )
    def start(body: dict[str, Any]) -> dict[str, Any]:
        """Starts something."""
        number = _effect("start")
        name = f"sess_{number}"
        return {"session_id": name, "visitor_token": visitor_token(name), "body": body}

    @api.endpoint(
        "POST",
        "/api/answer",
        body=NoteIn,
        reply=NoteOut,
        access=Access.WIDGET,
        session="body.session_id",
    )
    def note(body: dict[str, Any]) -> dict[str, Any]:
        """Keeps a note."""
        return {"session_id": body["session_id"], "count": _effect("note"), "echo": body}

    @api.endpoint("POST", "/api/broken", reply=NoteOut, access=Access.WIDGET)
    def broken() -> dict[str, Any]:
        """Forgets a field."""
        return {"session_id": "sess_1"}

    @api.endpoint("POST", "/api/leads/refresh", access=Scope.LEADS_WRITE, status=202)
    def refresh() -> tuple[dict[str, Any], dict[str, str]]:
        """Takes no body."""
        return {"count": _effect("refresh")}, {"Location": "/api/jobs/1"}

    @api.endpoint("GET", "/api/leads", query=FilterIn, access=Scope.LEADS_READ)
    def listed(query: dict[str, Any]) -> dict[str, Any]:
        """Lists something."""
        return {"leads": [], "query": query, "full": reader().full}

    @api.endpoint("GET", "/api/other", access=Scope.LEADS_READ)
    def other() -> dict[str, Any]:
        """Lists what older clients do not know."""
        return {}

    @api.endpoint("GET", "/api/score/<session_id>", access=Access.READ, session="path")
    def score(session_id: str) -> dict[str, Any]:
        """Shows a score."""
        return {"session_id": session_id, "full": reader().full, "sales": "₹50K–₹2L"}

    @api.endpoint("GET", "/api/fail/<kind>", access=Access.WIDGET)
    def fail(kind: str) -> dict[str, Any]:
        """Fails as it is told."""
        raise FAILURES[kind]()

    return api


class Boom(Exception):
    """An error nobody expects."""


FAILURES: dict[str, Callable[[], Exception]] = {
    "malformed": lambda: refusals.Malformed("Bad."),
    "unauthorized": lambda: refusals.Unauthorized("Who?"),
    "forbidden": lambda: refusals.Forbidden("No."),
    "missing": refusals.unknown_session,
    "conflict": lambda: refusals.Conflict("Closed.", code="session_closed"),
    "invalid": lambda: refusals.invalid_field("email", "Not an address."),
    "many": lambda: refusals.TooManyRequests("Slow down.", retry_after=7),
    "unavailable": lambda: refusals.Unavailable("Away."),
    "schema": lambda: marshmallow.ValidationError({"profile_data": {"email": ["Bad."]}}),
    "boom": lambda: Boom("the password is hunter2"),
}


def _effect(word: str) -> int:
    """One effect in the database, and how many there are now."""
    services().accounts.create_key(word, ["leads:read"])
    return len(services().accounts.list_keys())


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands still."""
    return SettableClock(START)


@pytest.fixture
def make_app(clock: SettableClock, tmp_path: Path) -> Iterator[MakeApp]:
    """Builds an application of the edge on a database address with these settings."""
    engines: list[Engine] = []

    def make(url: str, **chosen: Any) -> Flask:
        values = {"DATA_DIR": tmp_path, "SECRET_KEY": SECRET, **chosen}
        settings = Settings(_env_file=None, DATABASE_URL=url, **values)
        resources = Resources.from_settings(settings, clock=clock)
        engines.append(resources.engine)
        app = Flask("edge", static_folder=None)
        app.testing = True
        app.extensions["leadline"] = resources
        headers.register(app, resources)
        limits.register(app, resources)
        errors.register(app)
        documentation = endpoints.register(app)
        documentation.register_blueprint(edge_api())
        documentation.register_blueprint(health.api)
        health.register_docs(app)
        app.add_url_rule("/chat", "chat", lambda: "chat")
        return app

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A clean SQLite database, where one kind of database is enough."""
    file = tmp_path / "edge.db"
    file.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{file}"


@pytest.fixture
def app(make_app: MakeApp, sqlite_url: str) -> Flask:
    """The edge on SQLite with the settings a new user has."""
    return make_app(sqlite_url)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A caller of it."""
    return app.test_client()


def new_key(app: Flask, *scopes: str, **more: Any) -> str:
    """A key of another program."""
    resources = app.extensions["leadline"]
    with session_scope(resources.engine) as session:
        return AccountService(session, resources).create_key("robot", scopes, **more)


def bearer(key: str) -> dict[str, str]:
    """The header that shows a key."""
    return {"Authorization": f"Bearer {key}"}


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls return when all start at one moment, each in a thread of its own."""
    gate = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        gate.wait()
        results[place] = calls[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results
