"""HotPath: the few statements of a visitor's step, written by hand: read under lock, write at once.

This is the one named place where several owners' tables are written in one statement. On PostgreSQL
a step is two prepared statements; planning them anew each time would cost more than running them.
SQLite runs in our process, so there the same writes are small statements one after another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection

from database import dumps, prepare
from engine.vocabulary import RELAYED

_SESSION = (
    *("id", "lead_id", "visitor_id", "workflow_version", "points_version", "arms", "locale"),
    *("surface", "suspicion", "journey", "facts", "score", "classification", "started_at"),
    *("completed_at", "closed_at"),
)
_REPLY = ("fingerprint", "status", "body", "headers", "created_at")
_READ = (
    f"SELECT {', '.join(f's.{name}' for name in _SESSION)},"
    f" {', '.join(f'r.{name} AS reply_{name}' for name in _REPLY)}"
    " FROM sessions s JOIN leads l ON l.id = s.lead_id"
    " LEFT JOIN stored_replies r ON r.scope = {scope} AND r.key = {key}"
    " WHERE s.id = {id} AND l.deleted_at IS NULL"
)
# The lead's columns that an answer, a profile or sales may fill.
LEAD_COLUMNS = (
    *("name", "email", "phone", "company", "business_type", "location", "staff_size"),
    *("monthly_sales", "email_key", "phone_e164", "stage", "assigned_to", "campaign"),
    *("source", "utm_source"),
)
LEAD_JSON_COLUMNS = ("features_interested", "attributes")
_ANSWER = (
    *("question_id", "question_text", "answer_text", "options", "typed", "skipped"),
    *("time_taken", "score_earned"),
)


@dataclass(frozen=True)
class ReplyKey:
    """The idempotency key of a request, and whose it is."""

    scope: str
    key: str


@dataclass(frozen=True)
class Reply:
    """A reply to keep under its key."""

    scope: str
    key: str
    fingerprint: str
    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass
class Step:
    """All that one request changed in a session, as the tables take it."""

    now: datetime
    session_id: str
    lead_id: int
    version: int
    points_version: int
    arms: Mapping[str, str]
    session: Mapping[str, Any]
    facts: Sequence[Mapping[str, Any]]
    ledger: Sequence[Mapping[str, Any]]
    lead: Mapping[str, Any]
    answer: Mapping[str, Any] | None = None
    reply: Reply | None = None


def read_locked(connection: Connection, session_id: str, key: ReplyKey | None) -> Any:
    """The session's row under its lock and its lead's, with the reply stored under a key if any.

    A reply that another request stores while this one waits for the lock is not seen yet; writing
    a second one then fails on its key, and the unit is run again.
    """
    values = {"id": session_id, "scope": key and key.scope, "key": key and key.key}
    if connection.dialect.name == "sqlite":
        text = _READ.format(id=":id", scope=":scope", key=":key")
        return connection.exec_driver_sql(text, values).mappings().one_or_none()
    prepare(connection, _PREPARE_READ)
    text = "EXECUTE leadline_read(%(id)s, %(scope)s, %(key)s)"
    return connection.exec_driver_sql(text, values).mappings().one_or_none()


def read(connection: Connection, session_id: str) -> Any:
    """The session's row as it stands, without a lock."""
    place = ":id" if connection.dialect.name == "sqlite" else "%(id)s"
    text = _READ.format(id=place, scope="NULL", key="NULL")
    return connection.exec_driver_sql(text, {"id": session_id}).mappings().one_or_none()


def write(connection: Connection, step: Step) -> None:
    """Everything of a step: facts, ledger, answer, session, lead and the stored reply."""
    unknown = set(step.lead) - {*LEAD_COLUMNS, *LEAD_JSON_COLUMNS}
    assert not unknown, f"the hot path does not write {unknown}"
    if connection.dialect.name == "sqlite":
        _write_sqlite(connection, step)
    else:
        prepare(connection, _PREPARE_WRITE)
        connection.exec_driver_sql(_EXECUTE_WRITE, _values(step))


# PostgreSQL

_PREPARE_READ = (
    "PREPARE leadline_read (text, text, text) AS "
    + _READ.format(id="$1", scope="$2", key="$3")
    # No key is changed here, so rows of other tables that point to these need not wait.
    + " FOR NO KEY UPDATE OF s, l"
)
_PARAMETERS = (
    *(("session_id", "text"), ("lead_id", "bigint"), ("now", "timestamptz")),
    *(("version", "int"), ("points_version", "int"), ("arms", "jsonb"), ("facts", "jsonb")),
    *(("ledger", "jsonb"), ("answer", "jsonb"), ("lead", "jsonb"), ("journey", "jsonb")),
    *(("fact_count", "int"), ("score", "int"), ("classification", "text")),
    *(("suspicion", "text"), ("next_question_id", "int"), ("completed_at", "timestamptz")),
    *(("closed_at", "timestamptz"), ("scope", "text"), ("key", "text"), ("fingerprint", "text")),
    *(("status", "int"), ("body", "bytea"), ("headers", "jsonb")),
)
_PLACES = {name: f"${number}" for number, (name, _) in enumerate(_PARAMETERS, start=1)}


def _lead_column(name: str) -> str:
    get = "->" if name in LEAD_JSON_COLUMNS else "->>"
    return f"{name} = CASE WHEN {{lead}} ? '{name}' THEN {{lead}}{get}'{name}' ELSE {name} END"


_RELAYED = ", ".join(f"'{kind}'" for kind in sorted(RELAYED))
_WRITE = f"""
WITH fact AS (
  INSERT INTO events (kind, lead_id, session_id, seq, measured, personal, occurred_at,
    recorded_at, workflow_version, arms)
  SELECT f.kind, {{lead_id}}, {{session_id}}, f.seq, f.measured, f.personal, {{now}}, {{now}},
    {{version}}, {{arms}}
  FROM jsonb_to_recordset({{facts}}) AS f(kind text, seq int, measured jsonb, personal jsonb)
  RETURNING id, kind
), heard AS (
  INSERT INTO pending_facts (event_id, due_at, attempts)
  SELECT id, {{now}}, 0 FROM fact WHERE kind IN ({_RELAYED})
), award AS (
  INSERT INTO user_behaviors (session_id, behavior_type, subject, generation,
    behavior_metadata, score_impact, event_seq, workflow_version, timestamp)
  SELECT {{session_id}}, a.behavior_type, a.subject, a.generation, a.behavior_metadata,
    a.score_impact, a.event_seq, {{points_version}}, {{now}}
  FROM jsonb_to_recordset({{ledger}}) AS a(behavior_type text, subject text, generation int,
    behavior_metadata jsonb, score_impact int, event_seq int)
), answer AS (
  INSERT INTO answers (session_id, {', '.join(_ANSWER)}, revision, created_at, updated_at)
  SELECT {{session_id}}, {', '.join(f'w.{name}' for name in _ANSWER)}, 1, {{now}}, {{now}}
  FROM jsonb_to_recordset({{answer}}) AS w(question_id int, question_text text,
    answer_text text, options jsonb, typed bool, skipped bool, time_taken float,
    score_earned int)
  ON CONFLICT (session_id, question_id) DO UPDATE SET
    question_text = excluded.question_text, answer_text = excluded.answer_text,
    options = excluded.options, typed = excluded.typed, skipped = excluded.skipped,
    time_taken = excluded.time_taken, revision = answers.revision + 1,
    score_earned = answers.score_earned + excluded.score_earned,
    updated_at = excluded.updated_at
), reply AS (
  INSERT INTO stored_replies (scope, key, fingerprint, status, body, headers, created_at)
  SELECT {{scope}}, {{key}}, {{fingerprint}}, {{status}}, {{body}}, {{headers}}, {{now}}
  WHERE {{key}} IS NOT NULL
), session AS (
  UPDATE sessions SET journey = {{journey}}, facts = {{fact_count}}, score = {{score}},
    classification = {{classification}}, suspicion = {{suspicion}},
    next_question_id = {{next_question_id}}, last_activity_at = {{now}},
    completed_at = {{completed_at}}, closed_at = {{closed_at}}
  WHERE id = {{session_id}}
)
UPDATE leads SET updated_at = {{now}}, last_activity_at = {{now}},
  lead_score = GREATEST({{score}}, (SELECT max(o.score) FROM sessions o
    WHERE o.lead_id = {{lead_id}} AND o.id <> {{session_id}})),
  lead_classification = {{classification}},
  {', '.join(_lead_column(name) for name in (*LEAD_COLUMNS, *LEAD_JSON_COLUMNS))}
WHERE id = {{lead_id}}
"""
_PREPARE_WRITE = (
    f"PREPARE leadline_write ({', '.join(kind for _, kind in _PARAMETERS)}) AS "
    + _WRITE.format(**_PLACES)
)
_EXECUTE_WRITE = f"EXECUTE leadline_write({', '.join(f'%({name})s' for name, _ in _PARAMETERS)})"


def _values(step: Step) -> dict[str, Any]:
    reply = step.reply
    session = step.session
    return {
        "session_id": step.session_id,
        "lead_id": step.lead_id,
        "now": step.now,
        "version": step.version,
        "points_version": step.points_version,
        "arms": dumps(step.arms) if step.arms else None,
        "facts": dumps(step.facts),
        "ledger": dumps(step.ledger),
        "answer": dumps([step.answer] if step.answer else []),
        "lead": dumps(step.lead),
        "journey": dumps(session["journey"]),
        "fact_count": session["facts"],
        "score": session["score"],
        "classification": session["classification"],
        "suspicion": session["suspicion"],
        "next_question_id": session["next_question_id"],
        "completed_at": session["completed_at"],
        "closed_at": session["closed_at"],
        "scope": reply and reply.scope,
        "key": reply and reply.key,
        "fingerprint": reply and reply.fingerprint,
        "status": reply and reply.status,
        "body": reply and reply.body,
        "headers": dumps(reply.headers) if reply else None,
    }


# SQLite

_SQLITE_FACT = (
    "INSERT INTO events (kind, lead_id, session_id, seq, measured, personal, occurred_at,"
    " recorded_at, workflow_version, arms) VALUES (:kind, :lead_id, :session_id, :seq,"
    " :measured, :personal, :now, :now, :version, :arms)"
)
_SQLITE_HEARD = (
    "INSERT INTO pending_facts (event_id, due_at, attempts) SELECT id, :now, 0 FROM events"
    f" WHERE session_id = :session_id AND seq >= :first_seq AND kind IN ({_RELAYED})"
)
_SQLITE_AWARD = (
    "INSERT INTO user_behaviors (session_id, behavior_type, subject, generation,"
    " behavior_metadata, score_impact, event_seq, workflow_version, timestamp) VALUES"
    " (:session_id, :behavior_type, :subject, :generation, :behavior_metadata, :score_impact,"
    " :event_seq, :points_version, :now)"
)
_SQLITE_ANSWER = (
    f"INSERT INTO answers (session_id, {', '.join(_ANSWER)}, revision, created_at, updated_at)"
    f" VALUES (:session_id, {', '.join(f':{name}' for name in _ANSWER)}, 1, :now, :now)"
    " ON CONFLICT (session_id, question_id) DO UPDATE SET"
    " question_text = excluded.question_text, answer_text = excluded.answer_text,"
    " options = excluded.options, typed = excluded.typed, skipped = excluded.skipped,"
    " time_taken = excluded.time_taken, revision = answers.revision + 1,"
    " score_earned = answers.score_earned + excluded.score_earned,"
    " updated_at = excluded.updated_at"
)
_SQLITE_SESSION = (
    "UPDATE sessions SET journey = :journey, facts = :fact_count, score = :score,"
    " classification = :classification, suspicion = :suspicion,"
    " next_question_id = :next_question_id, last_activity_at = :now,"
    " completed_at = :completed_at, closed_at = :closed_at WHERE id = :session_id"
)
_SQLITE_REPLY = (
    "INSERT INTO stored_replies (scope, key, fingerprint, status, body, headers, created_at)"
    " VALUES (:scope, :key, :fingerprint, :status, :body, :headers, :now)"
)


def _write_sqlite(connection: Connection, step: Step) -> None:
    common = {name: _sqlite(value) for name, value in _values(step).items()}
    for text, rows in ((_SQLITE_FACT, step.facts), (_SQLITE_AWARD, step.ledger)):
        if rows:
            full = [{**common, "personal": None, **_sqlite_row(row)} for row in rows]
            connection.exec_driver_sql(text, full)
    if step.facts:
        connection.exec_driver_sql(_SQLITE_HEARD, {**common, "first_seq": step.facts[0]["seq"]})
    if step.answer:
        connection.exec_driver_sql(_SQLITE_ANSWER, {**common, **_sqlite_row(step.answer)})
    connection.exec_driver_sql(_SQLITE_SESSION, common)
    columns = "".join(f", {name} = :{name}" for name in step.lead)
    connection.exec_driver_sql(
        "UPDATE leads SET updated_at = :now, last_activity_at = :now,"
        " lead_score = max(:score, coalesce((SELECT max(o.score) FROM sessions o"
        " WHERE o.lead_id = :lead_id AND o.id <> :session_id), :score)),"
        f" lead_classification = :classification{columns} WHERE id = :lead_id",
        {**common, **_sqlite_row(step.lead)},
    )
    if step.reply:
        connection.exec_driver_sql(_SQLITE_REPLY, common)


def _sqlite_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _sqlite(value) for name, value in row.items()}


def _sqlite(value: Any) -> Any:
    """A value as SQLAlchemy would store it, so that both ways of writing look the same."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, (dict, list)):
        return dumps(value)
    return value
