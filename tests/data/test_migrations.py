"""Migrations and models make the same database, and its guards hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

import models
from database import Base, current_revision, head_revision, make_engine, migrate
from errors import Conflict
from tests.shop import Shop, shop

TRIGGERS = {
    "sqlite": "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name",
    "postgresql": "SELECT tgname, tgrelid::regclass::text, pg_get_triggerdef(oid)"
    " FROM pg_trigger WHERE NOT tgisinternal ORDER BY 2, 1",
}
GUARDED = (*models.APPEND_ONLY, "events")


def triggers(engine: Engine) -> list[tuple[str, ...]]:
    """Every trigger of a database with its definition, white space apart."""
    with engine.connect() as connection:
        rows = connection.execute(text(TRIGGERS[engine.dialect.name]))
        return [tuple(" ".join(str(part).split()) for part in row) for row in rows]


def shape(engine: Engine) -> dict[str, object]:
    """Every table's columns, keys and indexes as the database tells them."""
    seen = inspect(engine)
    return {
        table: (
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in seen.get_columns(table)),
            seen.get_pk_constraint(table)["constrained_columns"],
            sorted((i["name"], tuple(i["column_names"])) for i in seen.get_indexes(table)),
            sorted(
                (u["name"], tuple(u["column_names"])) for u in seen.get_unique_constraints(table)
            ),
            sorted((k["name"], k["referred_table"]) for k in seen.get_foreign_keys(table)),
        )
        for table in seen.get_table_names()
        if table != "alembic_version"
    }


def _is_in_metadata(_object: object, name: str | None, kind: str, *_: object) -> bool:
    """Not so the indexes that only PostgreSQL has; the next test compares them."""
    return not (kind == "index" and str(name) in models.POSTGRESQL_INDEXES)


def test_the_migrations_make_what_the_models_say(database_engine: Engine) -> None:
    with database_engine.connect() as connection:
        opts = {"compare_type": True, "include_object": _is_in_metadata}
        context = MigrationContext.configure(connection, opts=opts)

        assert compare_metadata(context, Base.metadata) == []


def test_create_all_leaves_alone_what_an_older_release_made(empty_database_url: str) -> None:
    engine = make_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('0001')"))

    with pytest.raises(Conflict, match="alembic upgrade head"):
        Base.metadata.create_all(engine)

    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_create_all_leaves_alone_what_another_program_made(empty_database_url: str) -> None:
    engine = make_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE leads (id INTEGER PRIMARY KEY, session_id TEXT)"))

    with pytest.raises(Conflict, match="leads"):
        Base.metadata.create_all(engine)

    assert inspect(engine).get_table_names() == ["leads"]
    engine.dispose()


def test_create_all_makes_the_same_database_as_the_migrations(
    empty_database_url: str, database_engine: Engine, request: pytest.FixtureRequest
) -> None:
    made = make_engine(empty_database_url)
    if made.dialect.name != database_engine.dialect.name:
        pytest.skip("The two fixtures name different databases.")
    Base.metadata.create_all(made)

    assert triggers(made) == triggers(database_engine) != []
    assert shape(made) == shape(database_engine)
    assert current_revision(made) == head_revision()
    made.dispose()


def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    engine = make_engine(empty_database_url)
    migrate(engine)
    before = (shape(engine), triggers(engine))

    migrate(engine)

    assert (shape(engine), triggers(engine)) == before
    engine.dispose()


def test_an_older_embedded_database_is_brought_up_when_it_is_first_used(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'older.db'}"
    engine = make_engine(url)
    with engine.begin() as connection:
        # Alembic was here, and no migration of ours: the oldest state there is.
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
    engine.dispose()

    with shop(url, tmp_path) as ours:
        ours.start()

        assert current_revision(ours.resources.engine) == head_revision()


@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
@pytest.mark.parametrize("table", GUARDED)
def test_history_cannot_be_rewritten(ours: Shop, table: str, verb: str) -> None:
    _fill(ours)
    said = "DELETE FROM {}" if verb == "DELETE" else "UPDATE {} SET id = id"
    if (table, verb) == ("events", "UPDATE"):
        said = "UPDATE {} SET kind = 'x'"
    before = _count(ours, table)

    with pytest.raises(DBAPIError, match="append-only"):
        _run(ours, said.format(table))

    assert _count(ours, table) == before > 0


@pytest.mark.parametrize("table", GUARDED)
def test_history_cannot_be_emptied_at_once(ours: Shop, table: str) -> None:
    if ours.resources.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no TRUNCATE.")
    _fill(ours)

    with pytest.raises(DBAPIError, match="append-only"):
        _run(ours, f"TRUNCATE {table} CASCADE")

    assert _count(ours, table) > 0


def test_of_a_fact_only_what_was_typed_can_be_blanked(ours: Shop) -> None:
    _fill(ours)
    columns = [c.name for c in models.Event.__table__.columns if c.name not in ("id", "personal")]
    for column in columns:
        value = "NULL" if models.Event.__table__.c[column].nullable else "'9'"
        with pytest.raises(DBAPIError):
            _run(ours, f"UPDATE events SET personal = NULL, {column} = {value}, id = id + 100000")
    with pytest.raises(DBAPIError, match="append-only"):
        _run(ours, """UPDATE events SET personal = '{"text": "other"}'""")

    _run(ours, "UPDATE events SET personal = NULL")

    assert _run(ours, "SELECT count(*) FROM events WHERE personal IS NOT NULL") == 0


def test_a_row_of_history_cannot_be_replaced_by_one_of_the_same_number(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'replace.db'}"
    with shop(url, tmp_path) as ours:
        _fill(ours)
        columns = ", ".join(c.name for c in models.UserBehavior.__table__.columns)
        rich = columns.replace("score_impact", "score_impact + 1000")

        with pytest.raises(DBAPIError, match="append-only"):
            _run(
                ours,
                f"INSERT OR REPLACE INTO user_behaviors ({columns})"
                f" SELECT {rich} FROM user_behaviors",
            )


def _fill(ours: Shop) -> None:
    """A row in every guarded table."""
    session = ours.start(consent=True)["session_id"]
    body = {"session_id": session, "question_id": 2, "answer_text": "Pune"}
    assert ours.app.test_client().post("/api/answer", json=body).status_code == 200
    ours.new_key("admin")


def _run(ours: Shop, statement: str) -> object:
    with ours.resources.engine.begin() as connection:
        result = connection.execute(text(statement.replace(":", "\\:")))
        return result.scalar() if result.returns_rows else None


def _count(ours: Shop, table: str) -> int:
    found = _run(ours, f"SELECT count(*) FROM {table}")
    assert isinstance(found, int)
    return found
