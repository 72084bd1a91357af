"""`python check_database.py --analyze`: reachable, right migration, indexes, row counts.

Looks and changes nothing, except that `--analyze` refreshes the statistics the database plans with.
It ends with 0 when all is well, else with 1, and each line that fails says what to do.
"""

from __future__ import annotations

import argparse
import re
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, UniqueConstraint, func, inspect, make_url, select
from sqlalchemy.exc import SQLAlchemyError

import models
from config import Settings, SettingsError, load_settings
from database import Base, current_revision, head_revision, make_engine

LIMIT_OF_CHECKS = "SET LOCAL statement_timeout = '60s'"
MIGRATE = "run: alembic upgrade head"


@dataclass(frozen=True)
class Finding:
    """One line of the report; `is_good` is None where there is nothing to judge."""

    what: str
    said: str
    is_good: bool | None = True

    def __str__(self) -> str:
        mark = {True: "ok", False: "FAIL", None: ""}[self.is_good]
        return f"{mark:<6}{self.what:<20}{self.said}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; 0 when nothing failed."""
    parser = argparse.ArgumentParser(description="Check the database of Leadline.")
    parser.add_argument(
        "--analyze",
        action="store_true",
        help="also sizes, integrity and plans; refreshes the planner's statistics",
    )
    chosen = parser.parse_args(arguments)
    try:
        settings = load_settings()
    except SettingsError as error:
        print(error.message, file=sys.stderr)
        return 1
    return report(settings, analyze=chosen.analyze)


def report(settings: Settings, *, analyze: bool) -> int:
    """Check the database of these settings line by line; 0 when nothing failed."""
    print(f"Database {make_url(settings.database_url).render_as_string(hide_password=True)}")
    failed = 0
    for finding in findings(settings, analyze=analyze):
        print(finding, flush=True)
        failed += finding.is_good is False
    print("All is well." if not failed else f"{failed} of these need attention.")
    return 1 if failed else 0


def findings(settings: Settings, *, analyze: bool = False) -> Iterator[Finding]:
    """Everything that was looked at, the cheapest first; stops where looking on makes no sense."""
    missing = _missing_file(settings)
    if missing:
        yield Finding("reachable", f"There is no file {missing}; {MIGRATE}", False)
        return
    engine = make_engine(settings.database_url)
    try:
        yield from _findings(engine, analyze=analyze)
    except SQLAlchemyError as error:
        # Only the kind: the message of a driver may hold the address with its password.
        kind = type(getattr(error, "orig", None) or error).__name__
        yield Finding("reachable", f"The database did not answer ({kind}); is it running?", False)
    finally:
        engine.dispose()


def _findings(engine: Engine, *, analyze: bool) -> Iterator[Finding]:
    with _looking(engine) as connection:
        yield Finding("reachable", _version(connection))
    migration = _migration(engine)
    yield migration
    if not migration.is_good:
        return
    with _looking(engine) as connection:
        tables = _tables(connection)
    yield tables
    if not tables.is_good:
        return
    if analyze:
        _refresh_statistics(engine)
    for check in (_indexes, _guards, _rows, *(MORE_CHECKS if analyze else ())):
        with _looking(engine) as connection:
            yield check(connection)


def _looking(engine: Engine) -> Connection:
    """A connection that takes no write lock and may take its time."""
    connection = engine.execution_options(read_only=True).connect()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(LIMIT_OF_CHECKS)
    return connection


def _missing_file(settings: Settings) -> str | None:
    """The SQLite file that is not there: connecting would make an empty one."""
    file = make_url(settings.database_url).database
    if not settings.is_embedded or not file or file == ":memory:" or Path(file).exists():
        return None
    return file


def _version(connection: Connection) -> str:
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[connection.dialect.name]
    version = connection.dialect.server_version_info or ()
    return f"{name} {'.'.join(str(part) for part in version)}"


def _migration(engine: Engine) -> Finding:
    stands, newest = current_revision(engine), head_revision()
    if stands == newest:
        return Finding("migration", f"{stands}, the newest")
    return Finding("migration", f"{stands or 'none'}, but {newest} is the newest; {MIGRATE}", False)


def _tables(connection: Connection) -> Finding:
    """Every table and column of ours; more may stand beside them."""
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    lacking = []
    for table in Base.metadata.sorted_tables:
        if table.name not in there:
            lacking.append(table.name)
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        lacking += [f"{table.name}.{name}" for name in table.columns.keys() if name not in columns]
    return _complete("tables", lacking, f"all {len(Base.metadata.tables)} with their columns")


def _indexes(connection: Connection) -> Finding:
    inspector = inspect(connection)
    lacking, number = [], 0
    for table in Base.metadata.sorted_tables:
        found = _indexed_columns(inspector, table.name)
        wanted = [tuple(index.columns.keys()) for index in table.indexes]
        wanted += [
            tuple(constraint.columns.keys())
            for constraint in table.constraints
            if isinstance(constraint, UniqueConstraint)
        ]
        number += len(wanted)
        lacking += [f"{table.name}({', '.join(one)})" for one in wanted if one not in found]
    return _complete("indexes", lacking, f"all {number}")


def _indexed_columns(inspector: Any, table: str) -> set[tuple[str, ...]]:
    if not inspector.has_table(table):
        return set()
    found = {tuple(index["column_names"]) for index in inspector.get_indexes(table)}
    return found | {tuple(one["column_names"]) for one in inspector.get_unique_constraints(table)}


def _guards(connection: Connection) -> Finding:
    """The triggers that keep the history; without them a bug could rewrite it in silence."""
    dialect = connection.dialect.name
    there, wanted = _triggers(connection), set()
    for table in Base.metadata.tables:
        for statement in models.guards(table, dialect):
            named = re.search(r"CREATE TRIGGER (\w+)", statement)
            if named:
                wanted.add((table, named[1]))
    lacking = sorted(f"{name} on {table}" for table, name in wanted - there)
    tables = len({table for table, _ in wanted})
    return _complete("append-only guards", lacking, f"all {len(wanted)} on {tables} tables")


def _triggers(connection: Connection) -> set[tuple[str, str]]:
    if connection.dialect.name == "sqlite":
        statement = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'"
    else:
        statement = (
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')"
            " AND c.relnamespace = current_schema()::regnamespace"
        )
    return {(table, name) for table, name in connection.exec_driver_sql(statement)}


def _complete(what: str, lacking: list[str], well: str) -> Finding:
    if not lacking:
        return Finding(what, well)
    named = ", ".join(lacking[:5]) + (" …" if len(lacking) > 5 else "")
    sentence = f"missing: {named}; restore them from a backup or from models.py"
    return Finding(what, sentence, False)


def _rows(connection: Connection) -> Finding:
    counts = {
        name: connection.scalar(select(func.count()).select_from(table)) or 0
        for name, table in sorted(Base.metadata.tables.items())
    }
    said = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return Finding("rows", said, None)


# --- With --analyze ----------------------------------------------------------------------------


def _refresh_statistics(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL statement_timeout = '600s'")
        for name in sorted(Base.metadata.tables):
            connection.exec_driver_sql(f"ANALYZE {name}")


def _integrity(connection: Connection) -> Finding:
    """What the database can say of itself: SQLite checks its file, PostgreSQL its indexes."""
    if connection.dialect.name == "sqlite":
        problems = [row[0] for row in connection.exec_driver_sql("PRAGMA quick_check")]
        problems = [problem for problem in problems if problem != "ok"]
        well = "the file is sound"
    else:
        statement = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
        problems = [f"index {row[0]} is not valid" for row in connection.exec_driver_sql(statement)]
        well = "every index is valid"
    if problems:
        return Finding("integrity", f"{'; '.join(problems[:3])}; restore a backup", False)
    return Finding("integrity", well)


def _size(connection: Connection) -> Finding:
    if connection.dialect.name == "sqlite":
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        size = pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    else:
        statement = "SELECT pg_database_size(current_database())"
        size = connection.exec_driver_sql(statement).scalar_one()
    return Finding("size", f"{size / 2**20:,.1f} MiB", None)


def _hot_statements() -> dict[str, Select[Any]]:
    """What a visitor and a sales rep wait for; each must find its rows by an index."""
    sessions, leads, facts = models.Conversation, models.Lead, models.Event
    answers, ledger = models.Answer, models.UserBehavior
    one = "sess_0"
    return {
        "a session and its lead": select(sessions.score, leads.lead_score)
        .join(leads, leads.id == sessions.lead_id)
        .where(sessions.id == one),
        "its facts": select(facts.measured).where(facts.session_id == one).order_by(facts.seq),
        "its answers": select(answers.id).where(
            answers.session_id == one, answers.question_id == 1
        ),
        "its ledger": select(ledger.id).where(ledger.session_id == one),
        "a stored reply": select(models.StoredReply.status).where(
            models.StoredReply.scope == one, models.StoredReply.key == "key"
        ),
        "an API key": select(models.ApiKey.id).where(models.ApiKey.prefix == "prefix"),
        "the newest leads": select(leads.id)
        .order_by(leads.created_at.desc(), leads.id.desc())
        .limit(50),
        "the latest sessions": select(sessions.id).where(
            sessions.started_at >= datetime(2026, 1, 1, tzinfo=UTC)
        ),
    }


def _plans(connection: Connection) -> Finding:
    """Whether an index can serve each hot statement; on a few rows a scan is the better plan."""
    statements = {
        name: str(statement.compile(connection.engine, compile_kwargs={"literal_binds": True}))
        for name, statement in _hot_statements().items()
    }
    is_sqlite = connection.dialect.name == "sqlite"
    scans = _scans_of_sqlite if is_sqlite else _scans_of_postgres
    scanning = [name for name, text in statements.items() if scans(connection, text)]
    if scanning:
        return Finding("plans", f"without an index: {', '.join(scanning)}", False)
    return Finding("plans", f"all {len(_hot_statements())} hot statements use an index")


def _scans_of_sqlite(connection: Connection, statement: str) -> bool:
    # On a copy without rows and statistics, where SQLite plans as for a large table.
    schema = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    with closing(sqlite3.connect(":memory:")) as copy:
        for row in connection.exec_driver_sql(schema):
            copy.execute(row[0])
        steps = [row[3] for row in copy.execute(f"EXPLAIN QUERY PLAN {statement}")]
    return any(step.startswith("SCAN") and " INDEX " not in step for step in steps)


def _scans_of_postgres(connection: Connection, statement: str) -> bool:
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    plan = connection.exec_driver_sql(f"EXPLAIN {statement}".replace("%", "%%"))
    return any("Seq Scan" in row[0] for row in plan)


def _idle_indexes(connection: Connection) -> Finding:
    """Only told, never judged: a fresh database has used none of them yet."""
    if connection.dialect.name == "sqlite":
        return Finding("idle indexes", "SQLite does not count", None)
    statement = (
        "SELECT s.indexrelname FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid)"
        " WHERE s.idx_scan = 0 AND NOT i.indisunique ORDER BY 1"
    )
    names = [row[0] for row in connection.exec_driver_sql(statement)]
    return Finding("idle indexes", ", ".join(names) or "none", None)


MORE_CHECKS = (_integrity, _size, _plans, _idle_indexes)

if __name__ == "__main__":
    sys.exit(main())
