"""Workers die while they send alerts; every alert arrives, and once for whoever honours its id."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.stage import database
from tests.crash.deliveries import kill_senders


def test_killed_senders_lose_nothing_and_repeat_one_message_each(database_url: str) -> None:
    done = kill_senders(database_url, 4, messages=200, lease=3.0)

    assert done.complaints == []
    assert done.messages == 200


@pytest.mark.nightly
@pytest.mark.postgres
def test_two_hundred_kills_of_senders_and_a_restart_on_postgresql() -> None:
    with database("sent") as (server, url):
        done = kill_senders(url, 200, postgresql=server)

    assert done.complaints == []
    assert done.messages == 4000


@pytest.mark.nightly
def test_two_hundred_kills_of_senders_on_sqlite(tmp_path: Path) -> None:
    done = kill_senders(f"sqlite:///{tmp_path / 'leadline.db'}", 200)

    assert done.complaints == []
    assert done.messages == 4000
