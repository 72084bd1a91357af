"""Runs migrations on SQLite and PostgreSQL, under short locks, one process at a time."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

import models
from config import load_settings
from database import Base, make_engine

config = context.config


def _engine():  # type: ignore[no-untyped-def]
    """The engine of the caller, else of the address it names, else of the environment."""
    if "engine" in config.attributes:
        return config.attributes["engine"]
    url = config.attributes.get("database_url") or load_settings().database_url
    return make_engine(url)


def _prepare(connection: Connection) -> None:
    """Wait for nobody's lock longer than 2 s (then fail and try again later), take our own turn."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        # Two machines that start together: the second waits for the first, then has nothing to do.
        connection.execute(text("SET LOCAL lock_timeout = '60s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(5494621)"))
        connection.execute(text("SET LOCAL lock_timeout = '2s'"))


def run() -> None:
    """Bring the database to the newest migration in one transaction."""
    with _engine().connect() as connection, connection.begin():
        _prepare(connection)
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transactional_ddl=True,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
        )
        context.run_migrations()


assert models.Base is Base  # Importing the models fills the metadata that autogenerate compares.
run()
