"""The same facts give the same ledger: on any database, in any order, after an erasure."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update

import models
from models import Conversation, Event
from services.replay_service import Report
from tests.shop import Shop, shop

# In the order in which rows may point at one another.
TABLES = ("workflow_versions", "leads", "sessions", "user_behaviors")
JOURNEYS = 12


def populate(ours: Shop, *, seed: int = 1) -> list[str]:
    """Some conversations of every kind: short, whole, edited, closed, with and without a contact."""
    chance = random.Random(seed)
    client = ours.app.test_client()
    sessions = []
    for number in range(JOURNEYS):
        session = ours.start(visitor_id=f"v{number % 5}")["session_id"]
        sessions.append(session)
        for question, words in (
            (1, ["Restaurant", "Other", "Retail Store"]),
            (2, ["Pune", "A long way from here", "x"]),
            (3, ["Just me", "50+"]),
            (4, ["Under ₹50K", "Over ₹10L"]),
            (5, [["Billing"], ["Billing", "Loyalty"]]),
        ):
            for _ in range(chance.randrange(3)):
                body = {"session_id": session, "question_id": question, "time_taken": 1}
                body |= {"answer_text": chance.choice(words), "time_taken": chance.choice((1, 300))}
                assert client.post("/api/answer", json=body).status_code == 200
        for action in chance.sample(["clicked_demo", "clicked_product", "cta_clicked"], 2):
            client.post("/api/behavior", json={"session_id": session, "action": action})
        if number % 2:
            data = {"name": "Ann", "email": f"ann{number}@example.com"}
            client.post("/api/lead/profile", json={"session_id": session, "profile_data": data})
        if number % 3 == 0:
            body = {"session_id": session, "action": "confirmed_summary"}
            client.post("/api/behavior", json=body)
    return sessions


def replayed(ours: Shop) -> Report:
    """What a replay of everything finds."""
    with ours.unit() as services:
        return services.replays.replay_all()


def _rows(ours: Shop, table: Any) -> list[dict[str, Any]]:
    with ours.unit() as services:
        return [dict(row) for row in services.session.execute(select(table)).mappings()]


@pytest.fixture
def source(sqlite_template: Path, tmp_path: Path) -> Any:
    """A populated shop on SQLite."""
    file = tmp_path / "source.db"
    file.write_bytes(sqlite_template.read_bytes())
    with shop(f"sqlite:///{file}", tmp_path) as here:
        populate(here)
        yield here


@pytest.mark.parametrize("seed", [1, 2])
def test_facts_shuffled_and_copied_to_another_database_give_the_same_state(
    source: Shop, database_url: str, tmp_path: Path, seed: int
) -> None:
    tables = models.Base.metadata.tables
    with shop(database_url, tmp_path) as other:
        with other.unit() as services:
            for name in TABLES[:1]:
                services.session.execute(delete(tables[name]))
            for name in TABLES:
                for row in _rows(source, tables[name]):
                    services.session.execute(insert(tables[name]).values(row))
            facts = _rows(source, tables["events"])
            random.Random(seed).shuffle(facts)
            for number, fact in enumerate(facts, start=1000):
                services.session.execute(insert(Event).values({**fact, "id": number}))

        there, here = replayed(other), replayed(source)

    assert here.sessions == there.sessions == JOURNEYS
    assert here.differences == there.differences == []
    assert here.hash == there.hash


def test_facts_that_come_twice_change_nothing(source: Shop) -> None:
    from engine.journey import Fact
    from engine.replay import replay, state_hash

    with source.unit() as services:
        service = services.replays
        rows = [row for page in service._pages() for row in page]
        facts = service._facts([row.id for row in rows])
        once, often = {}, {}
        for row in rows:
            pinned = services.workflows.get(row.workflow_version, row.arms)
            mine: list[Fact] = facts[row.id] * 3
            random.Random(3).shuffle(mine)
            once[row.id] = replay(facts[row.id], pinned, services.workflows.get)
            often[row.id] = replay(mine, pinned, services.workflows.get)

    assert state_hash(often) == state_hash(once) == replayed(source).hash


def test_erasing_everybody_leaves_the_state_as_it_was(ours: Shop) -> None:
    populate(ours)
    before = replayed(ours)

    with ours.unit() as services:
        for lead in services.session.scalars(select(models.Lead.id)).all():
            services.privacy.erase_lead(lead, actor="test")
        typed = select(Event.id).where(Event.personal.is_not(None))
        left = services.session.scalars(typed).all()
    after = replayed(ours)

    assert left == []
    assert after.differences == before.differences == []
    assert after.hash == before.hash


LIES = {
    "one award too many": insert(models.UserBehavior).values(
        behavior_type="cta_clicked",
        subject="talk_to_sales_twice",
        generation=0,
        behavior_metadata={},
        score_impact=15,
        event_seq=1,
        workflow_version=1,
    ),
    "a score": update(Conversation).values(score=Conversation.score + 5),
    "a class": update(Conversation).values(classification="nobody"),
    "an open question": update(Conversation).values(next_question_id=77),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_planted_lie_is_found(ours: Shop, lie: str) -> None:
    session = populate(ours)[0]
    runner = ours.app.test_cli_runner()
    honest = runner.invoke(args=["replay"])
    with ours.unit() as services:
        statement: Any = LIES[lie]
        if statement.is_insert:
            statement = statement.values(session_id=session, timestamp=ours.clock.now())
        else:
            statement = statement.where(Conversation.id == session)
        services.session.execute(statement)

    found = runner.invoke(args=["replay"])

    assert honest.exit_code == 0 and "\n0 differences" in honest.output
    assert found.exit_code == 1 and session in found.output


def test_a_ledger_row_that_got_lost_is_found(ours: Shop) -> None:
    session = populate(ours)[0]
    sqlite = ours.resources.engine.dialect.name == "sqlite"
    with ours.resources.engine.begin() as connection:
        # Only who may change the tables themselves gets past the guard.
        if sqlite:
            connection.execute(text("DROP TRIGGER user_behaviors_no_delete"))
        else:
            connection.execute(text("ALTER TABLE user_behaviors DISABLE TRIGGER append_only"))
        connection.execute(
            text("DELETE FROM user_behaviors WHERE session_id = :id AND subject = ''"),
            {"id": session},
        )

    found = ours.app.test_cli_runner().invoke(args=["replay"])

    assert found.exit_code == 1 and "the facts say" in found.output
