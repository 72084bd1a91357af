"""The databases that tests get: migrated, clean, and of both kinds."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

MARK = "t_only_of_this_test"


def test_a_database_is_migrated(database_engine: Engine) -> None:
    tables = set(inspect(database_engine).get_table_names())

    assert {"alembic_version", "leads", "answers", "user_behaviors"} <= tables


@pytest.mark.parametrize("turn", [1, 2])
def test_what_one_test_leaves_the_next_does_not_find(database_engine: Engine, turn: int) -> None:
    found = inspect(database_engine).has_table(MARK)
    with database_engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {MARK} (id INTEGER)"))

    assert not found
    assert inspect(database_engine).has_table(MARK)


def test_an_empty_database_has_no_table(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    tables = inspect(engine).get_table_names()
    engine.dispose()

    assert tables == []


def test_the_kind_of_database_is_the_one_that_was_asked_for(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.params["database_url"]

    assert create_engine(database_url).dialect.name == kind


def test_the_shared_counter_store_answers(redis_url: str) -> None:
    import redis

    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
