"""The team, and how new leads are given out in turn."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, select, update

from jobs.relay import Relay
from models import AuditEntry, Event, Lead, Person
from services.agent_figures import AgentFigures
from tests.console.office import Office


def _qualified(ours: Office, count: int, **data: Any) -> list[int]:
    """Leads that became SQL and belong to nobody."""
    ids = [ours.enter_lead(name=f"L{n}", **data) for n in range(count)]
    with ours.unit() as services:
        statement = update(Lead).where(Lead.id.in_(ids)).values(lead_classification="SQL")
        services.session.execute(statement)
    return ids


def _route(ours: Office, ids: list[int]) -> list[str | None]:
    """Each lead by itself, as the relay hears of it."""
    return [ours.ask(lambda s, one=one: s.routing.on_facts(one)) for one in ids]


def _team(ours: Office, **weights: int) -> None:
    for name, weight in weights.items():
        person = ours.hire(name.capitalize(), "sales")
        with ours.unit() as services:
            services.session.get_one(Person, person).weight = weight


def _switch_on(ours: Office, **more: Any) -> None:
    chosen = {"enabled": True, "from_class": "SQL", "entered": False, **more}
    with ours.unit() as services:
        services.routing.change(**chosen, actor="alice@example.com")


def test_shares_decide_and_the_turn_is_remembered(ours: Office) -> None:
    _team(ours, sam=2, sue=1)
    _switch_on(ours)

    owners = _route(ours, _qualified(ours, 6))

    assert Counter(owners) == {"sam@example.com": 4, "sue@example.com": 2}
    assert owners[:3] == ["sam@example.com", "sue@example.com", "sam@example.com"]
    facts = ours.ask(
        lambda s: s.session.scalars(
            select(Event.measured).where(Event.kind == "lead.assigned")
        ).all()
    )
    assert {fact["actor"] for fact in facts} == {"routing"} and len(facts) == 6


def test_off_by_default_nobody_gets_anything(small: Office) -> None:
    _team(small, sam=1)

    assert _route(small, _qualified(small, 1)) == [None]


def test_a_lead_that_does_not_ask_for_it_is_left_alone(small: Office) -> None:
    _team(small, sam=1)
    _switch_on(small)
    cold = small.enter_lead()
    (owned,) = _qualified(small, 1, assigned_to="sue@example.com")
    (ended,) = _qualified(small, 1)
    (gone,) = _qualified(small, 1)
    with small.unit() as services:
        services.session.get_one(Lead, ended).outcome = "lost"
        services.book.delete(gone, actor="alice@example.com")

    assert _route(small, [cold, owned, ended, gone, 12345]) == [None] * 5


def test_settings_widen_what_is_given_out(small: Office) -> None:
    _team(small, sam=1)
    _switch_on(small, entered=True)
    walk_in = small.enter_lead()
    assert _route(small, [walk_in]) == ["sam@example.com"]

    _switch_on(small, from_class="MQL")
    (lead,) = _qualified(small, 1)
    with small.unit() as services:
        services.session.get_one(Lead, lead).lead_classification = "MQL"
    assert _route(small, [lead]) == ["sam@example.com"]


def test_who_is_full_gone_or_without_a_share_is_passed_over(ours: Office) -> None:
    _team(ours, sam=5, sue=1, tom=0, una=5)
    _switch_on(ours)
    with ours.unit() as services:
        services.session.execute(
            update(Person).where(Person.email == "sam@example.com").values(capacity=1)
        )
        services.session.execute(
            update(Person)
            .where(Person.email == "una@example.com")
            .values(disabled_at=ours.clock.now())
        )

    assert _route(ours, _qualified(ours, 3)) == [
        "sam@example.com",
        "sue@example.com",
        "sue@example.com",
    ]


def test_nobody_with_room_leaves_the_lead_to_be_taken(small: Office) -> None:
    _switch_on(small)

    assert _route(small, _qualified(small, 1)) == [None]


def test_a_campaign_gives_its_leads_to_its_own_agents(ours: Office) -> None:
    _team(ours, sam=1, sue=1)
    sue = ours.hire("Sue", "sales")
    with ours.unit() as services:
        data = {"name": "Spring", "routes": True}
        services.campaigns.create(data, {sue: 1}, actor="alice@example.com")

    leads = [ours.enter_lead(campaign="Spring") for _ in range(2)]

    assert _route(ours, leads) == ["sue@example.com"] * 2
    with ours.unit() as services:
        (found,) = services.campaigns.list_campaigns()
        services.campaigns.archive(found.id, is_archived=True, actor="alice@example.com")
    assert _route(ours, [ours.enter_lead(campaign="Spring")]) == [None]


def test_the_relay_gives_out_a_lead_of_a_conversation(ours: Office) -> None:
    _team(ours, sam=1)
    _switch_on(ours)
    session = ours.start()["session_id"]
    client = ours.app.test_client()
    for question, answer in ((1, "Restaurant"), (2, "Bandra West"), (3, "2–5"), (4, "Under ₹50K")):
        body = {"session_id": session, "question_id": question, "answer_text": answer}
        ours.clock.advance(20)  # type: ignore[attr-defined]
        assert client.post("/api/answer", json=body).status_code == 200
    contact = {"session_id": session, "profile_data": {"email": "rosa@shop.example.com"}}
    assert client.post("/api/lead/profile", json=contact).status_code == 200
    demo = {"session_id": session, "action": "clicked_demo"}
    assert client.post("/api/behavior", json=demo).json["classification"] == "SQL"

    relay = Relay(ours.resources)
    while relay.fan_out():
        pass

    owner = select(Lead.assigned_to).where(Lead.session_id == session)
    assert ours.ask(lambda s: s.session.scalar(owner)) == "sam@example.com"


def test_an_admin_changes_shares_and_routing(small: Office) -> None:
    sam, alice = small.hire("Sam", "sales"), small.alice
    alice.get("/console/team")
    count = select(func.count()).select_from(AuditEntry)
    before = small.ask(lambda s: s.session.scalar(count))

    assert alice.post(f"/console/team/{sam}", {"weight": "4", "capacity": "9"}).status_code == 303
    form = {"enabled": "on", "from_class": "MQL"}
    assert alice.post("/console/team/routing", form).status_code == 303

    person = small.ask(lambda s: s.session.get_one(Person, sam))
    assert (person.weight, person.capacity) == (4, 9)
    settings = small.ask(lambda s: s.routing.settings())
    assert (settings.enabled, settings.from_class, settings.entered) == (True, "MQL", False)
    assert small.ask(lambda s: s.session.scalar(count)) == before + 2
    alice.post(f"/console/team/{sam}", {"weight": "4"})
    assert small.ask(lambda s: s.session.get_one(Person, sam)).capacity is None


@pytest.mark.parametrize("form", [{"weight": "101"}, {"weight": "-1"}, {"capacity": "x"}])
def test_a_share_that_cannot_be_is_refused(small: Office, form: dict[str, str]) -> None:
    sam = small.hire("Sam", "sales")

    assert small.alice.post(f"/console/team/{sam}", form).status_code == 422
    assert small.alice.post("/console/team/999", {"weight": "1"}).status_code == 404


def test_nobody_else_changes_shares_or_routing(small: Office) -> None:
    sam = small.hire("Sam", "sales")

    for visit in (small.mark, small.sam, small.vera):
        assert visit.get("/console/team").status_code == 200
        assert visit.post(f"/console/team/{sam}", {"weight": "9"}).status_code == 403
        assert visit.post("/console/team/routing", {"enabled": "on"}).status_code == 403
    assert not small.ask(lambda s: s.routing.settings()).enabled


def test_a_rep_sees_the_names_of_others_and_only_their_own_leads(small: Office) -> None:
    small.hire("Sue", "sales")
    small.enter_lead(assigned_to="sue@example.com")
    mine = small.enter_lead(assigned_to="sam@example.com")
    sam = small.sam
    with small.unit() as services:
        services.make(AgentFigures).renew()
        services.pipeline.record_outcome(mine, "won", value=1, actor="sam@example.com")

    page = sam.text("/console/team")

    cards, _, counted = page.partition("The whole team")
    assert "Sam" in cards and "Sue" not in cards
    assert "1 of 1 that ended" in cards
    assert "Sue 1 1 0 0" in counted
