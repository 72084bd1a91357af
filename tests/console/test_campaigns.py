"""Campaigns: made, changed, put away, and how they do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from models import AuditEntry, Campaign, CampaignAgent, Lead
from services.campaign_service import Health
from tests.console.office import Office, plain

HOSTILE = "<img src=x onerror=alert(1)>"


def _make(ours: Office, **data: Any) -> int:
    with ours.unit() as services:
        return services.campaigns.create(
            {"name": "Spring", **data}, data.get("agents", {}), actor="alice@example.com"
        )


def _audited(ours: Office) -> int:
    return int(ours.ask(lambda s: s.session.scalar(select(func.count()).select_from(AuditEntry))))


def test_a_marketer_makes_a_campaign_with_its_agents(ours: Office) -> None:
    sam, mark = ours.hire("Sam", "sales"), ours.mark
    before = _audited(ours)
    form = {"name": "Spring", "goal": "50", "starts_on": "2026-11-01", "ends_on": "2026-11-30"}

    reply = mark.post("/console/campaigns", {**form, f"share_{sam}": "3", "routes": "on"})

    assert reply.status_code == 303, plain(reply.text)
    (found,) = ours.ask(lambda s: s.campaigns.list_campaigns())
    assert reply.headers["Location"] == f"/console/campaigns/{found.id}"
    assert (found.name, found.goal, found.routes) == ("Spring", 50, True)
    assert found.starts_on == datetime(2026, 11, 1, tzinfo=UTC)
    assert found.ends_on == datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    assert [(agent.email, agent.weight) for agent in found.agents] == [("sam@example.com", 3)]
    assert _audited(ours) == before + 1
    page = mark.get(f"/console/campaigns/{found.id}").text
    assert 'value="2026-11-30"' in page and 'value="2026-11-01"' in page


def test_health_is_what_became_of_the_leads(ours: Office) -> None:
    campaign = _make(ours, goal=4)
    ids = [ours.enter_lead(name=f"L{n}", campaign="Spring") for n in range(3)]
    ours.enter_lead(campaign="Other words")
    gone = ours.enter_lead(campaign="Spring")
    with ours.unit() as services:
        services.book.delete(gone, actor="alice@example.com")
        services.pipeline.record_outcome(ids[0], "won", value=70, actor="alice@example.com")
        services.session.get_one(Lead, ids[1]).last_activity_at -= timedelta(days=15)

    found = ours.ask(lambda s: s.campaigns.find(campaign))

    newest = found.health.newest
    expected = Health(3, 0, 1, 0, 70.0, stagnant=1, without_owner=2, newest=newest)
    assert found.health == expected and newest is not None
    assert found.pace.sentence == "3 of 4 leads; without dates no pace."
    assert ours.ask(lambda s: s.campaigns.names_without()) == [("Other words", 1)]


def test_a_goal_may_be_qualified_leads_deals_or_value(ours: Office) -> None:
    mark = ours.mark
    form = {"name": "Spring", "goal": "500", "goal_of": "value"}
    page = mark.post("/console/campaigns", form).headers["Location"]
    lead = ours.enter_lead(campaign="Spring")
    with ours.unit() as services:
        services.pipeline.record_outcome(lead, "won", value=200, actor="alice@example.com")

    said = mark.text(page)
    assert "₹200 of ₹500 won; without dates no pace." in said
    assert "measures value of won deals" in said
    mark.post(page, {**form, "goal": "1", "goal_of": "won"})
    assert "1 of 1 won deal: the goal is reached." in mark.text("/console/campaigns")
    mark.post(page, {**form, "goal": "2", "goal_of": "qualified"})
    assert "0 of 2 qualified leads" in mark.text(page)
    assert mark.post(page, {**form, "goal_of": "fame"}).status_code == 422


def test_a_new_name_goes_to_its_leads(ours: Office) -> None:
    campaign, lead = _make(ours), ours.enter_lead(campaign="Spring")

    reply = ours.alice.post(f"/console/campaigns/{campaign}", {"name": "Summer"})

    assert reply.status_code == 303
    assert ours.ask(lambda s: s.session.get_one(Lead, lead).campaign) == "Summer"
    assert ours.ask(lambda s: s.campaigns.find(campaign).health.leads) == 1


def test_an_edit_changes_who_works_it(small: Office) -> None:
    sam, sue = small.hire("Sam", "sales"), small.hire("Sue", "sales")
    campaign = _make(small, agents={sam: 1})

    small.alice.post(f"/console/campaigns/{campaign}", {"name": "Spring", f"share_{sue}": "2"})

    rows = small.ask(lambda s: s.session.execute(select(CampaignAgent.person_id)).all())
    assert [one for (one,) in rows] == [sue]


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"name": ""}, "A campaign needs a name."),
        ({"name": "spring"}, "Another campaign has this name"),
        ({"name": "X", "starts_on": "2026-11-02", "ends_on": "2026-11-01"}, "must not end before"),
        ({"name": "X", "goal": "0"}, "A goal is at least 1."),
        ({"name": "X", "ends_on": "9999-12-31"}, "in the years 2000 to 2999"),
        ({"name": "X", "goal": "many"}, "Not a valid integer."),
        ({"name": "X" * 256}, "255"),
    ],
)
def test_a_refused_form_keeps_what_was_typed(
    small: Office, form: dict[str, str], sentence: str
) -> None:
    _make(small)

    reply = small.mark.post("/console/campaigns", {**form, "description": "kept words"})

    assert reply.status_code == 422
    assert sentence in plain(reply.text)
    assert "kept words" in reply.text
    assert small.ask(lambda s: len(s.campaigns.list_campaigns())) == 1


def test_a_campaign_is_put_away_and_taken_back(small: Office) -> None:
    campaign, mark = _make(small), small.mark

    assert mark.post(f"/console/campaigns/{campaign}/archive").status_code == 303
    assert "Spring" not in mark.text("/console/campaigns").replace("Spring is", "")
    assert "Spring" in mark.text("/console/campaigns", archived="1")

    assert mark.post(f"/console/campaigns/{campaign}/take-back").status_code == 303
    assert "Spring" in mark.text("/console/campaigns")


def test_who_may_only_read_cannot_write(small: Office) -> None:
    campaign = _make(small, description="About it")
    for visit in (small.sam, small.vera):
        assert "About it" in visit.text(f"/console/campaigns/{campaign}")
        assert visit.get("/console/campaigns/new").status_code == 403
        for path in ("", f"/{campaign}", f"/{campaign}/archive", f"/{campaign}/take-back"):
            assert visit.post(f"/console/campaigns{path}", {"name": "Y"}).status_code == 403
    assert small.ask(lambda s: s.session.scalars(select(Campaign.name)).all()) == ["Spring"]
    assert small.app.test_client().get("/console/campaigns").status_code == 303
    assert small.alice.get("/console/campaigns/99").status_code == 404


def test_a_rep_counts_only_leads_they_may_see(small: Office) -> None:
    campaign = _make(small)
    small.enter_lead(campaign="Spring", assigned_to="sue@example.com")
    small.enter_lead(campaign="Spring")

    assert "1 lead so far" in small.sam.text(f"/console/campaigns/{campaign}")
    assert "2 leads so far" in small.alice.text(f"/console/campaigns/{campaign}")


def test_hostile_names_stay_text(small: Office) -> None:
    campaign = _make(small, name=HOSTILE, description=HOSTILE)
    small.enter_lead(campaign="=" + HOSTILE)

    for path in ("/console/campaigns", f"/console/campaigns/{campaign}"):
        page = small.alice.get(path).text
        assert HOSTILE not in page and HOSTILE in plain(page).replace("&lt;", "<")
