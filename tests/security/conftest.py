"""The whole application for attacks from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shop import Shop, shop


@pytest.fixture
def ours(database_url: str, tmp_path: Path) -> Iterator[Shop]:
    """The application on both databases."""
    with shop(database_url, tmp_path) as found:
        yield found


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A clean SQLite database, where one kind of database is enough."""
    file = tmp_path / "shop.db"
    file.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{file}"


@pytest.fixture
def small(sqlite_url: str, tmp_path: Path) -> Iterator[Shop]:
    """The application on SQLite alone."""
    with shop(sqlite_url, tmp_path) as found:
        yield found
