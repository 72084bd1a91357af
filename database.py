"""Base, naming convention, column types, session_scope(): one unit of work."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Engine,
    Integer,
    MetaData,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from errors import Conflict, Forbidden

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
# The limits of one connection: a database that is away or stuck costs a visitor seconds, never a
# hung thread. gthread does not kill a stuck thread, so every wait needs a limit of its own.
POSTGRES_LIMITS = {
    "connect_timeout": 2,
    "tcp_user_timeout": 3000,
    "keepalives_idle": 30,
    "options": "-c statement_timeout=3000 -c lock_timeout=2000"
    " -c idle_in_transaction_session_timeout=5000 -c timezone=UTC",
}


LONGEST_UNCHECKED_REST = 1.0  # seconds


class Base(DeclarativeBase):
    """The parent of every table."""

    metadata = MetaData(naming_convention=NAMES)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, aware in Python on both databases; SQLite keeps it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment as the database keeps it; a naive moment is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The stored moment, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite only numbers rows by itself in a column that is exactly INTEGER.
BigId = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")
# Where "nothing" must be the database's NULL and not JSON's null: a blanked half of a fact.
JsonOrNull = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


_PLAIN_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Written(str):
    """JSON that `dumps` has made already, whole or in parts; it is stored as it is."""

    __slots__ = ()


def dumps(value: Any) -> str:
    """JSON as we store it: text as it is, no NaN."""
    if type(value) is Written:
        return value
    return _PLAIN_JSON.encode(value)


def driver_url(url: str) -> str:
    """The address with the driver we ship: SQLAlchemy 2.1 would take another for postgresql://."""
    parsed = make_url(url)
    if parsed.get_backend_name() in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg2")
    return parsed.render_as_string(hide_password=False)


def make_engine(url: str, *, pool_size: int = 8, may_drop: bool = False) -> Engine:
    """An engine for SQLite or PostgreSQL with our limits; opens no connection yet.

    `drop_all` is refused on it unless it `may_drop`.
    """
    options = {"may_drop": may_drop}
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url).execution_options(**options)
    engine = create_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=2,
        pool_timeout=2,
        connect_args=POSTGRES_LIMITS,
        json_serializer=dumps,
    )
    event.listen(engine, "checkin", _note_rest)
    event.listen(engine, "checkout", _check_after_rest)
    return engine.execution_options(**options)


def _note_rest(_connection: Any, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()


def _check_after_rest(connection: Any, record: Any, _proxy: Any) -> None:
    """A connection that has rested may have died meanwhile: ask before a visitor depends on it.

    One that came back a moment ago was alive then; asking each time costs a round trip a request.
    """
    since = record.info.get("rests_since")
    if since is None or time.monotonic() - since < LONGEST_UNCHECKED_REST:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except connection.Error:
        raise DisconnectionError("the connection died while it rested") from None


def _sqlite(url: str) -> Engine:
    file = make_url(url).database
    if file and file != ":memory:":
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, json_serializer=dumps, connect_args={"timeout": 10})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # The driver must not begin by itself: we say how.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=10000",
        "foreign_keys=ON",
        # Without it INSERT OR REPLACE would delete a guarded row and no trigger would hear of it.
        "recursive_triggers=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once: a deferred transaction that must upgrade fails, not waits."""
    reading = connection.get_execution_options().get("read_only")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def session_scope(engine: Engine, *, read_only: bool = False) -> Iterator[Session]:
    """One unit of work: committed when the block ends, rolled back when it raises."""
    bind = engine.execution_options(read_only=True) if read_only else engine
    with bind.connect() as connection, connection.begin() as transaction:
        # The session joins the connection's transaction when it is first used; a visitor's step
        # is written on the connection itself and never wakes it.
        with Session(connection, expire_on_commit=False) as session:
            yield session
            if session.in_transaction() and not read_only:
                session.commit()
        if read_only:
            transaction.rollback()


def prepare(connection: Connection, statement: str) -> None:
    """A PREPARE of PostgreSQL run on this connection, once in its life."""
    prepared = connection.info.setdefault("leadline_prepared", set())
    if statement not in prepared:
        # A rolled back transaction keeps prepared statements, so a mark cannot be wrong. Each has
        # its own: where one waited for a lock in vain, the other must not be prepared twice.
        connection.exec_driver_sql(statement)
        prepared.add(statement)


def migrate(engine: Engine) -> None:
    """Bring a database to the newest migration; does nothing, and quickly, when it is there."""
    if current_revision(engine) == head_revision():
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    command.upgrade(config, "head")


def current_revision(engine: Engine) -> str | None:
    """The migration a database stands at; None when it is empty."""
    with engine.execution_options(read_only=True).connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(text("SELECT version_num FROM alembic_version"))


def head_revision() -> str:
    """The newest migration of this program: ours are numbered, so alembic is not needed to tell."""
    return max(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _refuse_what_is_not_ours(metadata: MetaData, connection: Connection, **_: Any) -> None:
    """Before `create_all`: what an older release or another program made, it would only mix up."""
    seen = inspect(connection)
    if seen.has_table("alembic_version"):
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if version not in (None, head_revision()):
            raise Conflict(
                f"This database is at migration {version}; run: alembic upgrade head.",
                code="not_migrated",
            )
        return
    for table in metadata.sorted_tables:
        if not seen.has_table(table.name):
            continue
        found = {column["name"] for column in seen.get_columns(table.name)}
        if not found >= {column.name for column in table.columns}:
            raise Conflict(
                f"The table {table.name} of this database is of another program;"
                " name an empty database in DATABASE_URL.",
                code="not_ours",
            )


def _count_as_migrated(metadata: MetaData, connection: Connection, **_: Any) -> None:
    """After `create_all`, say that the database is at the newest migration, for it is."""
    connection.execute(
        text(
            "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL,"
            " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    if connection.scalar(text("SELECT count(*) FROM alembic_version")) == 0:
        values = {"head": head_revision()}
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), values)


def _only_in_development(metadata: MetaData, connection: Connection, **_: Any) -> None:
    if not connection.get_execution_options().get("may_drop"):
        raise Forbidden("drop_all is only for development: it would delete every lead.")
    connection.execute(text("DROP TABLE IF EXISTS alembic_version"))


event.listen(Base.metadata, "before_create", _refuse_what_is_not_ours)
event.listen(Base.metadata, "after_create", _count_as_migrated)
event.listen(Base.metadata, "before_drop", _only_in_development)


def __getattr__(name: str) -> Any:
    """`engine`, for older scripts: the engine of the configured database, its tables known."""
    if name == "engine":
        import main

        return main.resources().engine
    raise AttributeError(f"module 'database' has no attribute {name!r}")
