"""The frame of the console: who gets in, whose rows they see, and that a form is ours."""

from __future__ import annotations

import pytest

from engine.policy import POLICY, Permission, Role, may_call
from engine.vocabulary import Scope
from services.lead_visibility import see_only
from tests.console.office import Office


def test_a_stranger_is_sent_to_sign_in_and_back(small: Office) -> None:
    reply = small.app.test_client().get("/console/profile?x=1")

    assert reply.status_code == 303
    assert reply.headers["Location"] == "/console/sign-in?next=/console/profile?x%3D1"


def test_somebody_who_is_signed_in_sees_their_page_under_a_strict_policy(ours: Office) -> None:
    reply = ours.sam.get("/console/profile")

    assert reply.status_code == 200
    assert "sam@example.com" in reply.text
    policy = reply.headers["Content-Security-Policy"]
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ],
)
def test_a_form_from_another_site_changes_nothing(small: Office, headers: dict[str, str]) -> None:
    sam = small.sam

    reply = sam.post("/console/sign-out", **headers)

    assert reply.status_code == 403
    assert sam.get("/console/profile").status_code == 200


def test_a_form_without_our_token_changes_nothing(small: Office) -> None:
    sam, sue = small.sam, small.sue

    assert sam.client.post("/console/sign-out").status_code == 403
    assert sam.post("/console/sign-out", {"csrf_token": sue.token}).status_code == 403
    assert sam.get("/console/profile").status_code == 200


def test_who_signs_out_is_out(ours: Office) -> None:
    sam, elsewhere = ours.sam, ours.sam

    assert sam.post("/console/sign-out").status_code == 303

    assert sam.get("/console/profile").status_code == 303
    assert elsewhere.get("/console/profile").status_code == 200


def test_a_browser_that_nobody_uses_is_signed_out(small: Office) -> None:
    sam = small.sam
    small.clock.advance(20 * 60)
    assert sam.get("/console/profile").status_code == 200

    small.clock.advance(31 * 60)

    assert sam.get("/console/profile").status_code == 303


def test_sales_finds_its_own_leads_and_those_of_nobody(ours: Office) -> None:
    mine = ours.enter_lead(name="Mine", assigned_to="sam@example.com")
    free = ours.enter_lead(name="Free")
    hers = ours.enter_lead(name="Hers", assigned_to="sue@example.com")
    sam = ours.sam

    listed = sam.get("/api/leads").json["leads"]

    assert {int(one["id"]) for one in listed} == {mine, free}
    assert sam.get(f"/api/leads/{hers}").status_code == 404
    assert {int(one["id"]) for one in ours.alice.get("/api/leads").json["leads"]} == {
        mine,
        free,
        hers,
    }


def test_who_gives_a_lead_away_gets_the_reply_and_loses_sight_of_it(ours: Office) -> None:
    lead = ours.enter_lead(assigned_to="sam@example.com")

    with ours.unit() as services:
        see_only(services.session, "sam@example.com")
        said = services.book.edit(lead, {"assigned_to": "sue@example.com"}, actor="sam@example.com")

    assert said["assigned_to"] == "sue@example.com"
    assert ours.sue.get(f"/api/leads/{lead}").json["assigned_to"] == "sue@example.com"
    assert ours.sam.get(f"/api/leads/{lead}").status_code == 404


def test_the_api_takes_a_console_login_by_its_role(small: Office) -> None:
    small.enter_lead()

    assert small.mark.get("/api/leads").status_code == 403
    assert small.vera.get("/api/analytics/leads").status_code == 200
    assert small.sam.client.post("/api/leads", json={"name": "X"}).status_code == 403


def test_the_policy_names_every_permission_for_somebody_and_admins_may_all() -> None:
    assert POLICY[Role.ADMIN] == frozenset(Permission)
    assert {Permission(str(scope)) for scope in Scope} <= set(Permission)
    assert not may_call(Role.MARKETER, Scope.LEADS_READ)
    assert may_call(Role.SALES, Scope.LEADS_WRITE)
    assert not may_call(Role.VIEWER, Scope.ALERTS_READ)
