"""A database that is away, locked or back again: visitors wait a little, and lose nothing.

How long is measured by `python -m tests.crash`; here no test depends on a clock.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from database import make_engine, migrate
from tests.servers import postgres
from tests.shop import Shop, shop


@pytest.fixture
def own_server() -> Iterator[postgres.PostgresServer]:
    """A PostgreSQL server of this test alone, to be stopped and started."""
    # Durable, for what it said yes to must be there after it was killed.
    server = postgres.start(owner=os.getpid(), durable=True)
    yield server
    postgres.stop(server.folder)


def _switch(server: postgres.PostgresServer, *words: str) -> None:
    """Stops or starts the server's process; its data stay."""
    programs = postgres._within_reach(postgres.binaries(), server.folder)
    command = [str(programs / "pg_ctl"), "-D", str(server.folder / "data"), "-w", *words]
    quiet = subprocess.DEVNULL
    subprocess.run(command, check=True, stdout=quiet, stderr=quiet, cwd="/", **postgres._as_user())


def _asked(ours: Shop, method: str, path: str, body: object = None) -> TestResponse:
    return ours.app.test_client().open(path, method=method, json=body)


@pytest.mark.postgres
def test_a_database_that_is_away_is_a_503_and_comes_back_without_a_restart(
    own_server: postgres.PostgresServer, tmp_path: Path
) -> None:
    url = own_server.url("postgres")
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    with shop(url, tmp_path) as ours:
        session = ours.start()["session_id"]
        answer = {"session_id": session, "question_id": 2, "answer_text": "Pune"}
        assert _asked(ours, "POST", "/api/answer", answer).status_code == 200

        _switch(own_server, "-m", "immediate", "stop")
        for method, path, body in (
            ("POST", "/api/session/start", {}),
            ("POST", "/api/answer", {**answer, "answer_text": "Goa"}),
            ("GET", f"/api/lead/summary/{session}", None),
            ("GET", "/api/questions", None),
            ("GET", "/health", None),
        ):
            reply = _asked(ours, method, path, body)
            assert reply.status_code == 503, path
            assert int(reply.headers["Retry-After"]) >= 1
        assert reply.json["status"] == "unhealthy"
        assert _asked(ours, "GET", "/api/nothing").status_code == 404

        options = f"-h 127.0.0.1 -p {own_server.port} -k {own_server.folder}"
        _switch(own_server, "-l", f"{own_server.folder}/log", "-o", options, "start")
        reply = _asked(ours, "POST", "/api/answer", {**answer, "answer_text": "Goa"})

        assert reply.status_code == 200
        assert _asked(ours, "GET", "/health").json["status"] == "healthy"
        with ours.unit() as services:
            assert services.replays.replay_all().differences == []


@pytest.mark.postgres
def test_an_application_that_starts_before_its_database_serves_once_it_is_there(
    own_server: postgres.PostgresServer, tmp_path: Path
) -> None:
    url = own_server.url("postgres")
    _switch(own_server, "-m", "fast", "stop")
    with shop(url, tmp_path) as ours:
        assert _asked(ours, "POST", "/api/session/start").status_code == 503

        options = f"-h 127.0.0.1 -p {own_server.port} -k {own_server.folder}"
        _switch(own_server, "-l", f"{own_server.folder}/log", "-o", options, "start")
        unmigrated = _asked(ours, "POST", "/api/session/start")
        assert unmigrated.json["error"]["code"] == "not_migrated"
        migrate(ours.resources.engine)

        assert _asked(ours, "POST", "/api/session/start").status_code == 201


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_waiting_for_a_lock_ends_in_a_503(database_url: str, tmp_path: Path) -> None:
    with shop(database_url, tmp_path) as ours:
        session = ours.start()["session_id"]
        answer = {"session_id": session, "question_id": 2, "answer_text": "Pune"}
        with ours.resources.engine.begin() as other:
            other.execute(text("SELECT 1 FROM sessions FOR UPDATE"))
            reply = _asked(ours, "POST", "/api/answer", answer)

        assert reply.status_code == 503 and "Retry-After" in reply.headers
        assert _asked(ours, "POST", "/api/answer", answer).status_code == 200


@pytest.mark.nightly
def test_waiting_for_the_embedded_database_ends_in_a_503(
    sqlite_template: Path, tmp_path: Path
) -> None:
    file = tmp_path / "locked.db"
    file.write_bytes(sqlite_template.read_bytes())
    with shop(f"sqlite:///{file}", tmp_path) as ours:
        session = ours.start()["session_id"]
        answer = {"session_id": session, "question_id": 2, "answer_text": "Pune"}
        with ours.resources.engine.begin():
            reply = _asked(ours, "POST", "/api/answer", answer)
            read = _asked(ours, "GET", f"/api/lead/summary/{session}")

        assert reply.status_code == 503 and "Retry-After" in reply.headers
        assert read.status_code == 200
        assert _asked(ours, "POST", "/api/answer", answer).status_code == 200
