"""What experiments count while the process that serves and relays is killed: as the oracle does."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from config import Settings
from jobs.relay import Relay
from services.resources import Resources
from tests.crash.clients import Visitors
from tests.crash.stage import ONE_PROCESS, serving

Count = tuple[str, str, str, str]


def _goals(kind: str, said: dict[str, Any]) -> set[str]:
    """What a fact of the log means, told once more and otherwise than the program tells it."""
    if kind == "lead.classified":
        return {"MQL": {"mql"}, "SQL": {"mql", "sql"}}.get(said["to"], set())
    if kind == "behavior.reported" and said["action"] == "demo_requested":
        return {"demo_request"}
    if kind in ("profile.updated", "answer.recorded") and said.get("contact"):
        return {"contact_shared"}
    return {"completed"} if kind == "journey.completed" else set()


def _expected(rows: Any, told: dict[str, dict[str, str]]) -> set[Count]:
    """Each goal once per conversation and experiment, under the arm that its visitor was told."""
    return {
        (name, session, goal, arm)
        for session, kind, measured in rows
        for goal in _goals(kind, json.loads(measured))
        for name, arm in told.get(session, {}).items()
    }


def _counted_under_kills(kills: int, visitors_at_once: int, tmp_path: Path) -> int:
    """How many conversions there are, each of them as the oracle has it."""
    with serving(ONE_PROCESS, "") as server:
        with Visitors(server.port, visitors_at_once) as visitors:
            for _ in range(kills):
                visitors.wait_for(random.randint(10, 80))
                server.kill()
        begun = [talk for talk in visitors.talks if talk.sent and talk.sent[0].is_acknowledged]
        told = {talk.session_id: talk.sent[0].reply["variants"] for talk in begun}
        whole = {talk.session_id for talk in begun if talk.is_whole}
        settings = Settings(_env_file=None, DATABASE_URL=server.file(), DATA_DIR=tmp_path)
        resources = Resources.from_settings(settings)
        relay = Relay(resources)
        while relay.fan_out():
            pass
        resources.engine.dispose()
        engine = create_engine(server.file())
        with engine.connect() as connection:
            facts = connection.execute(text("SELECT session_id, kind, measured FROM events")).all()
            exposures = connection.execute(text("SELECT experiment, unit, arm FROM exposures"))
            # Who gave up before the start was acknowledged was told nothing to compare.
            shown = [tuple(row) for row in exposures if row.unit in told]
            found = connection.execute(
                text("SELECT experiment, unit, metric, arm FROM conversions")
            )
            counted = [tuple(row) for row in found if row.unit in told]
        engine.dispose()
    assert sorted(shown) == sorted(
        (name, session, arm) for session, arms in told.items() for name, arm in arms.items()
    )
    assert sorted(counted) == sorted(_expected(facts, told))
    clicked = {unit for _, unit, metric, _ in counted if metric == "demo_request"}
    assert whole and clicked >= whole, "who asked for a demo was told that it is kept"
    return len(counted)


def test_what_is_counted_is_what_happened_although_the_process_is_killed(tmp_path: Path) -> None:
    assert _counted_under_kills(1, 4, tmp_path) > 0


@pytest.mark.nightly
def test_forty_kills_change_no_count(tmp_path: Path) -> None:
    count = _counted_under_kills(40, 12, tmp_path)

    print(f"{count} conversions, all as the oracle has them")
    assert count > 1000
