"""The prepared statements of a connection, when preparing them is disturbed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from tests.shop import shop


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_connection_that_was_disturbed_while_preparing_serves_again(
    database_url: str, tmp_path: Path
) -> None:
    # Logs go to nobody's eyes here; drawing a stack for a terminal would take seconds.
    with capture_logs(), shop(database_url, tmp_path) as ours:
        session = ours.start()["session_id"]
        ours.resources.engine.dispose()
        answer = {"session_id": session, "question_id": 2, "answer_text": "Pune"}
        client = ours.app.test_client()

        # The first statement can be prepared meanwhile, the second one has to wait for this table.
        patient = create_engine(database_url)
        with patient.begin() as other:
            other.execute(text("LOCK TABLE answers IN ACCESS EXCLUSIVE MODE"))
            disturbed = client.post("/api/answer", json=answer)
        patient.dispose()
        statuses = [client.post("/api/answer", json=answer).status_code for _ in range(3)]

        assert disturbed.status_code == 503
        assert statuses == [200, 200, 200]
