"""A shop on each kind of database."""

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
