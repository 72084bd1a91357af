"""Two relays over one lead at the same moment: what one reads, the other has just changed."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from tests.jobs.conftest import Desk


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_relay_that_waited_for_another_does_not_store_an_older_score(desk: Desk) -> None:
    desk.add(triggers=["became_hot"])
    session_id = desk.shop.start()["session_id"]
    desk.work()
    told = {"session_id": session_id, "action": "replied_to_greeting"}
    desk.post("/api/behavior", told)

    struck: list[bool] = []

    def meanwhile(_1: object, _2: object, statement: str, *_: object) -> None:
        """Just before the first relay locks the scores, the lead becomes hot in the second."""
        if not struck and "lead_scores" in statement and "FOR UPDATE" in statement:
            struck.append(True)
            desk.become_sql(session_id)
            desk.relay.fan_out()

    event.listen(desk.shop.resources.engine, "before_cursor_execute", meanwhile)
    desk.relay.fan_out()
    desk.post("/api/behavior", {"session_id": session_id, "action": "website_visit"})
    desk.work()

    assert struck
    assert [told["data"]["trigger"] for told in desk.heard()] == ["became_hot"]
