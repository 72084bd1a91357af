"""No statement of a visitor's conversation reads through a table that grows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

import experiment_draws as draws
from database import prepare
from services import hot_path
from tests.shop import Shop, shop

LEADS = 3000
FILL = Path(__file__).parent / "fill.sql"
# What grows with visitors and is not filled by the file of the bench, which only copies leads.
ALSO = """
INSERT INTO stored_replies (scope, key, fingerprint, status, body, headers, created_at)
  SELECT 'session:fill_' || n, 'key-' || n, 'f', 200, '{}', '{}', now()
  FROM generate_series(1, :last) AS n;
INSERT INTO assignments (experiment, unit, arm, propensity, epoch, workflow_version, assigned_at)
  SELECT e.name, 'fill_' || n, 'A', 0.5, 1, 1, now()
  FROM experiments e, generate_series(1, :last) AS n;
INSERT INTO exposures (experiment, unit, session_id, arm, epoch, exposed_at)
  SELECT e.name, 'fill_' || n, 'fill_' || n, 'A', 1, now()
  FROM experiments e, generate_series(1, :last) AS n;
INSERT INTO consents (session_id, purpose, given, text_version, surface, recorded_at)
  SELECT 'fill_' || n, 'contact', true, '1', 'api', now() FROM generate_series(1, :last) AS n
"""
GROWING = frozenset(
    {
        *("leads", "sessions", "events", "user_behaviors", "answers", "stored_replies"),
        *("assignments", "exposures", "consents", "conversions"),
    }
)
ANSWERS: tuple[tuple[int, Any], ...] = (
    (1, "Rtail stre"),
    (1, "Retail Store"),
    (2, "Pune"),
    (2, "Bandra West, Mumbai"),
    (2, "Bandra West, Mumbai"),
    (3, "2–5"),
    (4, "₹50K–₹2L"),
    (5, ["Billing"]),
)
Statement = tuple[str, Any]


def _talk(ours: Shop) -> str:
    """One whole conversation over HTTP, as a widget holds it; its session."""
    client = ours.app.test_client()

    def send(path: str, **body: Any) -> Any:
        reply = client.post(path, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
        assert reply.status_code in (200, 201), reply.text
        return reply.json

    session = send("/api/session/start", utm_source="bench")["session_id"]
    for question_id, answer in ANSWERS:
        send("/api/answer", session_id=session, question_id=question_id, answer_text=answer)
    for action in ("website_visit", "clicked_demo", "consent_given"):
        send("/api/behavior", session_id=session, action=action)
    send("/api/lead/profile", session_id=session, profile_data={"email": "a@b.example.com"})
    for path in ("/api/questions?session_id=", "/api/lead/summary/", "/api/score/"):
        assert client.get(path + session).status_code == 200
    return str(session)


def _fill(engine: Engine) -> None:
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        for statement in (*FILL.read_text().split(";\n"), *ALSO.split(";\n")):
            if statement.strip():
                values = {"first": 0, "last": LEADS}
                used = {name: one for name, one in values.items() if f":{name}" in statement}
                connection.execute(text(statement), used)
        connection.execute(text("DROP TABLE model"))
        connection.execute(text("ANALYZE"))


def _heard(engine: Engine) -> list[Statement]:
    """A list that gets every statement from now on."""
    heard: list[Statement] = []

    @event.listens_for(engine, "before_cursor_execute")
    def listen(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "EXECUTE")):
            heard.append((statement, values))

    return heard


def _scans(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """How each table of a plan is read: the node's type and the table."""
    if "Relation Name" in plan and plan["Node Type"] != "ModifyTable":
        yield plan["Node Type"], plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from _scans(part)


def _explained(connection: Connection, statement: Statement) -> set[tuple[str, str]]:
    said = connection.exec_driver_sql("EXPLAIN (FORMAT JSON) " + statement[0], statement[1])
    return {scan for one in said.scalar_one() for scan in _scans(one["Plan"])}


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_every_statement_of_a_conversation_finds_its_rows_by_an_index(
    database_url: str, tmp_path: Path, mode: str
) -> None:
    with shop(database_url, tmp_path) as ours:
        engine = ours.resources.engine
        _talk(ours)
        _fill(engine)
        statements = _heard(engine)
        _talk(ours)

        scans: dict[str, set[tuple[str, str]]] = {}
        with engine.connect() as connection:
            for prepared in (hot_path._PREPARE_READ, hot_path._PREPARE_WRITE, draws._PREPARE_FIND):
                prepare(connection, prepared)
            connection.exec_driver_sql(f"SET LOCAL plan_cache_mode = {mode}")
            for statement in list(statements):
                scans.setdefault(statement[0], set()).update(_explained(connection, statement))

    read = {table for found in scans.values() for _, table in found}
    assert {"sessions", "leads", "answers", "events", "stored_replies", "assignments"} <= read
    slow = {
        (statement, table)
        for statement, found in scans.items()
        for kind, table in found
        if kind == "Seq Scan" and table in GROWING
    }
    assert slow == set()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_statement_without_an_index_is_noticed(database_url: str, tmp_path: Path) -> None:
    with shop(database_url, tmp_path) as ours:
        _talk(ours)
        _fill(ours.resources.engine)
        with ours.resources.engine.connect() as connection:
            found = _explained(connection, ("SELECT * FROM answers WHERE answer_text = 'x'", {}))

    assert found == {("Seq Scan", "answers")}
