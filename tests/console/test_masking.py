"""Leads without names: who may not see people still tells one lead from another, everywhere."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.console.office import START, Office, Visit
from tests.console.visitors import talk


@pytest.fixture
def pair(small: Office) -> tuple[int, int]:
    """Two hot leads whose names begin alike, each with a follow-up today."""
    found = []
    for name in ("Yara", "Yusuf"):
        profile = {"name": name, "email": f"{name.lower()}@example.com"}
        found.append(talk(small, profile=profile))
        with small.unit() as services:
            due = START + timedelta(hours=2)
            services.diary.set_follow_up(found[-1], due, note="Call", actor="x")
    return found[0], found[1]


def _pages(visit: Visit) -> dict[str, str]:
    days = {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}
    found = {path: visit.text(f"/console/{path}") for path in ("leads", "board", "calendar")}
    return found | {"events": visit.get("/console/calendar/events", **days).text}


@pytest.mark.parametrize("role", ["marketer", "viewer"])
def test_a_masked_lead_is_called_by_its_letter_and_its_number(
    small: Office, pair: tuple[int, int], role: str
) -> None:
    visit = small.visit("Vera", role)
    for path, text in _pages(visit).items():
        for lead in pair:
            assert f"Y. #{lead}" in text, path
        assert "Yara" not in text and "Yusuf" not in text, path

    one = visit.text(f"/console/leads/{pair[0]}")
    assert f"Y. #{pair[0]}" in one and "Yara" not in one


def test_in_the_queue_too(small: Office) -> None:
    lead = talk(small, profile={"name": "Yara", "email": "yara@example.com"})

    assert f"Y. #{lead}" in small.vera.text("/console/now")
    assert "Yara" in small.sam.text("/console/now")


def test_without_a_name_it_is_the_number_alone(small: Office) -> None:
    lead = small.enter_lead(name=None, email="someone@example.com", company="Keller")

    masked, seen = small.vera.text("/console/leads"), small.sam.text("/console/leads")

    assert f"Lead {lead}" in masked and "Keller" not in masked
    assert "s***@e***.com" in masked and "Keller" in seen


def test_who_sees_people_sees_names_without_numbers(small: Office, pair: tuple[int, int]) -> None:
    for path, text in _pages(small.sam).items():
        assert "Yara" in text and "Y. #" not in text, path


# What waits for nobody


def test_a_follow_up_of_a_lead_that_is_won_or_lost_is_overdue_nowhere(ours: Office) -> None:
    """What was planned before is over with the sale; what somebody finishes is done."""
    for outcome in ("won", "lost", None):
        lead = ours.enter_lead(name=f"It is {outcome}", assigned_to="sam@example.com")
        with ours.unit() as services:
            services.diary.set_follow_up(lead, START - timedelta(hours=1), actor="x")
            if outcome:
                services.pipeline.record_outcome(lead, outcome, actor="x")
    sam = ours.sam
    days = {"start": "2026-11-20T00:00:00Z", "end": "2026-11-22T00:00:00Z"}

    looks = {
        one["title"]: "is-overdue" in one["classNames"]
        for one in sam.get("/console/calendar/events", **days).json
    }
    assert looks == {"It is won": False, "It is lost": False, "It is None": True}
    assert "Overdue 1" in sam.text("/console/calendar")
    assert sam.text("/console/board").count("Overdue ") - 1 == 1, "one card, and the legend"


# Parting


def test_leads_are_parted_by_who_manages_once_and_for_who_may_see_each(small: Office) -> None:
    dear = {"email": "dear@example.com"}
    mine = small.enter_lead(name="Mine", assigned_to="sam@example.com", **dear)
    hers = small.enter_lead(name="Hers", assigned_to="sue@example.com", **dear)
    alice = small.alice
    alice.post(f"/console/leads/{mine}/merge/{hers}")
    assert small.sue.get(f"/console/leads/{hers}").status_code == 404
    path = "/console/leads/merges/1/part"

    for visit in (small.sam, small.mark, small.vera):
        assert visit.post(path).status_code == 403
    assert alice.post(path).status_code == 303
    assert alice.post(path).status_code == 409

    assert "Hers" in small.sue.text(f"/console/leads/{hers}")
    assert small.sam.get(f"/console/leads/{hers}").status_code == 404
    assert "Mine" in small.sam.text(f"/console/leads/{mine}")
    assert "Hers" not in small.sam.text("/console/leads")
    assert small.alice.post("/console/leads/merges/99/part").status_code == 404
