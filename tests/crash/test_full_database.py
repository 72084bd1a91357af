"""A full SQLite database, on any machine: the file itself is not allowed to grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from structlog.testing import capture_logs

from tests.shop import shop

PLENTY = 1_000_000  # pages


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_that_may_not_grow_is_refused_whole_and_grows_again_later(
    database_url: str, tmp_path: Path
) -> None:
    # Tests log to nobody's eyes; drawing the stack of every refusal would take minutes.
    with capture_logs() as logged, shop(database_url, tmp_path) as ours:
        session, engine = ours.start()["session_id"], ours.resources.engine
        room = {"pages": 1}  # SQLite takes no less than it has: not one page more.
        event.listen(engine, "checkout", lambda c, *_: _allow(c, room["pages"]))

        def signal(number: int) -> Any:
            body = {"session_id": session, "action": "website_visit", "metadata": {"x": "y" * 900}}
            key = {"Idempotency-Key": f"signal-{number}"}
            return ours.app.test_client().post("/api/behavior", json=body, headers=key)

        replies = [signal(number) for number in range(30)]
        refused = [number for number, one in enumerate(replies) if one.status_code != 200]
        for number in refused:
            assert replies[number].status_code == 503
            assert replies[number].json["error"]["code"] == "storage_full"
            assert replies[number].headers["Retry-After"] == "1"
        facts = "SELECT count(*) FROM events WHERE kind = 'behavior.reported'"
        with engine.connect() as connection:
            assert connection.scalar(text(facts)) == 30 - len(refused)
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"

        room["pages"] = PLENTY
        again = [signal(number) for number in range(30)]

        assert refused
        assert "the disk under the database is full" in {one["event"] for one in logged}
        assert {one.status_code for one in again} == {200}
        replayed = ["Idempotent-Replayed" in one.headers for one in again]
        assert replayed == [number not in refused for number in range(30)]
        with ours.unit() as services:
            assert services.replays.replay_all().differences == []


def _allow(connection: Any, pages: int) -> None:
    connection.execute(f"PRAGMA max_page_count = {pages}")
