"""An office on both databases, and on SQLite alone where one kind is enough."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.office import Office, office


@pytest.fixture
def ours(database_url: str, tmp_path: Path) -> Iterator[Office]:
    """The office on SQLite and on PostgreSQL."""
    with office(database_url, tmp_path) as found:
        yield found


@pytest.fixture
def small(sqlite_template: Path, tmp_path: Path) -> Iterator[Office]:
    """The office on SQLite."""
    file = tmp_path / "office.db"
    file.write_bytes(sqlite_template.read_bytes())
    with office(f"sqlite:///{file}", tmp_path) as found:
        yield found
