"""A caller of the whole application, on both databases, with a clock that is set by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

import main
from config import Settings
from jobs.relay import Relay
from lib.clock import SettableClock
from services import Services, unit_of_work
from services.resources import Resources
from workflow_config import ACTIVE_TESTS, WORKFLOW_CONFIG

SECRET = "p4Wq8Zr1Ty6Ui3Op9As2Df5Gh7Jk0Lz6Xc1"
START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
# The answers of the reference journey, with the seconds each took.
REFERENCE = (
    (1, "Retail Store", 30),
    (2, "Mumbai", 40),
    (3, "2–5", 50),
    (4, "₹50K–₹2L", 300),
    (5, ["Billing", "QR Payments"], 300),
)
JOHN = {"name": "John Merchant", "email": "john@example.com", "phone": "9123456789"}


class Caller:
    """One application and everybody who may call it: visitors with an id, programs with a key."""

    def __init__(self, app: Flask, resources: Resources, clock: SettableClock) -> None:
        self.app = app
        self.resources = resources
        self.clock = clock
        self._keys: dict[tuple[str, ...], str] = {}

    # Requests

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        """The reply to a POST; `Idempotency_Key="…"` and the like become headers."""
        return self.app.test_client().post(path, json=body, headers=_headers(headers))

    def get(self, path: str, query: Mapping[str, Any] | None = None, **headers: str) -> Any:
        """The reply to a GET."""
        return self.app.test_client().get(path, query_string=query, headers=_headers(headers))

    def staff(self, method: str, path: str, body: Any = None, **query: Any) -> TestResponse:
        """The reply to a program that holds a key of scope admin."""
        return self.app.test_client().open(
            path, method=method, json=body, query_string=query, headers=self.key("admin")
        )

    def key(self, *scopes: str) -> dict[str, str]:
        """The header of a key with these scopes."""
        if scopes not in self._keys:
            with unit_of_work(self.resources) as services:
                self._keys[scopes] = services.accounts.create_key("tests", scopes)
        return {"Authorization": f"Bearer {self._keys[scopes]}"}

    # A conversation

    def start(self, **body: Any) -> str:
        """The id of a new session."""
        reply = self.post("/api/session/start", body)
        assert reply.status_code == 201, reply.text
        return str(reply.json["session_id"])

    def answer(self, session: str, question: int | str, text: Any, **more: Any) -> dict[str, Any]:
        """The reply to an answer."""
        body = {"session_id": session, "question_id": question, "answer_text": text, **more}
        return _good(self.post("/api/answer", body))

    def skip(self, session: str, question: int | str) -> dict[str, Any]:
        """The reply to a skip."""
        body = {"session_id": session, "question_id": question, "skip": True}
        return _good(self.post("/api/answer", body))

    def behave(self, session: str, action: str, **metadata: Any) -> dict[str, Any]:
        """The reply to a behaviour."""
        body = {"session_id": session, "action": action, "metadata": metadata}
        return _good(self.post("/api/behavior", body))

    def profile(self, session: str, **data: Any) -> dict[str, Any]:
        """The reply to profile data."""
        return _good(self.post("/api/lead/profile", {"session_id": session, "profile_data": data}))

    def score(self, session: str) -> int:
        """A session's score."""
        return int(_good(self.get(f"/api/score/{session}"))["lead_score"])

    def summary(self, session: str) -> dict[str, Any]:
        """All about a session, as staff sees it."""
        return _good(self.staff("GET", f"/api/lead/summary/{session}"))

    def export(self, session: str) -> dict[str, Any]:
        """The CRM record."""
        return _good(self.staff("GET", f"/api/lead/export/{session}"))

    def reference(self, **start: Any) -> str:
        """A session that went the whole reference journey."""
        session = self.start(**start)
        for question, text_, seconds in REFERENCE:
            self.answer(session, question, text_, time_taken=seconds)
        self.profile(session, **JOHN)
        self.behave(session, "clicked_demo")
        return session

    # What is there

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement, read past the program."""
        with self.resources.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def differences(self) -> list[str]:
        """What a replay of all facts finds wrong."""
        with unit_of_work(self.resources, read_only=True) as services:
            found = services.replays.replay_all().differences
        return found

    def relay(self) -> None:
        """Everybody hears of what happened; nothing leaves the house."""
        relay = Relay(self.resources)
        while relay.fan_out():
            pass

    def unit(self) -> Any:
        """The services in one transaction."""
        return unit_of_work(self.resources)


MakeCaller = Callable[..., Caller]


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands still."""
    return SettableClock(START)


@pytest.fixture
def make_caller(clock: SettableClock, tmp_path: Path) -> Iterator[MakeCaller]:
    """Builds a caller of the application on a database, with a workflow, tests and settings."""
    engines: list[Engine] = []

    def make(
        url: str,
        *,
        workflow: Mapping[str, Any] = WORKFLOW_CONFIG,
        tests: Mapping[str, Any] = ACTIVE_TESTS,
        **chosen: Any,
    ) -> Caller:
        values = {"DATA_DIR": tmp_path, "SECRET_KEY": SECRET, "RATE_LIMIT_PER_MINUTE": 100_000}
        settings = Settings(_env_file=None, DATABASE_URL=url, **{**values, **chosen})
        resources = Resources.from_settings(settings, clock=clock, workflow=workflow, tests=tests)
        engines.append(resources.engine)
        app = main.create_app(resources=resources)
        app.testing = True
        return Caller(app, resources, clock)

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def api(make_caller: MakeCaller, database_url: str) -> Caller:
    """The application as it is shipped, on each database."""
    return make_caller(database_url)


@pytest.fixture
def plain(make_caller: MakeCaller, database_url: str) -> Caller:
    """The shipped workflow without experiments: everybody sees the questions in their order."""
    return make_caller(database_url, tests={})


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A clean SQLite database, where one kind of database is enough."""
    file = tmp_path / "one.db"
    file.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{file}"


@pytest.fixture
def lite(make_caller: MakeCaller, sqlite_url: str) -> Caller:
    """The application on SQLite alone, without experiments, for what never reaches a database."""
    return make_caller(sqlite_url, tests={})


def refused(reply: TestResponse, status: int, code: str | None = None) -> dict[str, Any]:
    """The error of a reply, its shape checked."""
    assert reply.status_code == status, reply.text
    assert reply.mimetype == "application/json"
    error: dict[str, Any] = reply.json["error"]
    assert set(reply.json) == {"error"}
    assert error["code"] and error["code"] == error["code"].lower()
    assert error["message"].endswith((".", "!", "…"))
    if code:
        assert error["code"] == code
    return error


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls return, or the exceptions they raise, when all start at one moment."""
    gate = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        gate.wait()
        try:
            results[place] = calls[place]()
        except Exception as error:  # Told to the test, which compares.
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def award_sum(services: Services, session: str) -> int:
    """The sum of a session's ledger."""
    return sum(row.score_impact for row in services.scoring.find_ledger(session))


def _good(reply: TestResponse) -> dict[str, Any]:
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = reply.json
    return said


def _headers(named: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in named.items()}
