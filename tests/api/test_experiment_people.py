"""One person on several devices: counted once, under what they saw first."""

from __future__ import annotations

from typing import Any

import pytest

import outbox
from engine.vocabulary import FactKind
from services.experiment_people import ExperimentPeople
from tests.api.conftest import Caller
from tests.api.laboratory import results, run, start


def test_who_saw_two_arms_is_not_counted_and_shown(plain: Caller) -> None:
    run(plain)
    arms = {}
    for number in range(16):
        plain.clock.advance(1)
        arms[f"v{number}"] = start(plain, visitor_id=f"v{number}")["variants"]["hello"]
    a = [unit for unit, arm in arms.items() if arm == "A"][:2]
    b = [unit for unit, arm in arms.items() if arm == "B"][:1]
    with plain.unit() as services:
        now = plain.clock.now()
        assert services.make(ExperimentPeople).join(a, now) == a[0]
        assert services.make(ExperimentPeople).join([a[0], b[0]], now) in (a[0], b[0])
    plain.clock.advance(2 * 86_400)

    said = results(plain)
    assert sum(one["exposed"] for one in said["arms"]) == 13
    assert said["multiple"]["units"] == 2 and said["multiple"]["warning"]
    first, second = sorted((a[0], b[0]), key=list(arms).index)
    assert arms[second] != arms[first]
    again = start(plain, visitor_id=second)["variants"]["hello"]
    assert again == arms[first], "from then on the person sees what they saw first"


def test_a_second_device_with_the_same_arm_counts_as_one_person(lite: Caller) -> None:
    run(lite)
    arms: dict[str, list[str]] = {"A": [], "B": []}
    for number in range(12):
        lite.clock.advance(1)
        started = start(lite, visitor_id=f"v{number}")
        arms[started["variants"]["hello"]].append(f"v{number}")
        lite.behave(started["session_id"], "clicked_demo")
    lite.relay()
    with lite.unit() as services:
        services.make(ExperimentPeople).join(list(reversed(arms["A"][:2])), lite.clock.now())
    lite.clock.advance(2 * 86_400)

    said = results(lite)
    assert sum(one["exposed"] for one in said["arms"]) == 11
    assert sum(one["converted"] for one in said["arms"]) == 11
    assert said["multiple"] == {"units": 0, "share": 0.0, "aliases": 1, "warning": False}


def _merge(api: Caller, kept: str, *merged: str) -> None:
    """What merging two leads leaves behind, as a fact."""
    leads = dict(api.rows("SELECT id, lead_id FROM sessions"))
    with api.unit() as services:
        now = api.clock.now()
        measured = {"merged": [leads[one] for one in merged]}
        fact = outbox.NewFact(FactKind.LEAD_MERGED, now, measured=measured, lead_id=leads[kept])
        outbox.record(services.session, fact)
    api.relay()


def _again(api: Caller, first: dict[str, Any], **body: Any) -> dict[str, Any]:
    """The same person on another device, with the token of their first conversation."""
    reply = api.post(
        "/api/session/start",
        {"previous_session": first["session_id"], **body},
        X_Visitor_Token=first["visitor_token"],
    )
    assert reply.status_code == 201, reply.text
    said: dict[str, Any] = reply.json
    return said


def test_a_second_device_with_the_first_ones_token_keeps_the_arm_and_counts_once(
    plain: Caller,
) -> None:
    run(plain)
    for number in range(12):
        plain.clock.advance(1)
        first = start(plain, visitor_id=f"phone{number}")
        second = _again(plain, first, visitor_id=f"laptop{number}")
        assert second["variants"] == first["variants"]
        plain.behave(second["session_id"], "clicked_demo")
        plain.behave(first["session_id"], "clicked_demo")
    plain.relay()
    plain.clock.advance(2 * 86_400)

    said = results(plain)
    assert sum(one["exposed"] for one in said["arms"]) == 12
    assert sum(one["converted"] for one in said["arms"]) == 12
    assert said["multiple"]["units"] == said["multiple"]["aliases"] == 0


def test_a_conversation_that_began_without_an_id_is_recognised_too(lite: Caller) -> None:
    run(lite)
    first = start(lite)
    second = _again(lite, first, visitor_id="laptop")

    assert second["variants"] == first["variants"]
    assert lite.rows("SELECT unit, canonical FROM unit_aliases") == [
        ("laptop", first["session_id"])
    ]


@pytest.mark.parametrize("token", ["", "forged", "other"])
def test_without_its_token_a_session_tells_nothing_about_anybody(lite: Caller, token: str) -> None:
    run(lite)
    first, other = start(lite, visitor_id="phone"), start(lite, visitor_id="else")
    shown = {"": "", "forged": "x.1.y", "other": other["visitor_token"]}[token]
    _again(lite, {**first, "visitor_token": shown}, visitor_id="laptop")

    assert lite.rows("SELECT count(*) FROM unit_aliases") == [(0,)]


def test_who_comes_back_on_the_same_device_is_nobodys_alias(lite: Caller) -> None:
    first = start(lite, visitor_id="phone")
    _again(lite, first, visitor_id="phone")
    _again(lite, first)

    assert lite.rows("SELECT count(*) FROM unit_aliases") == [(0,)]


def test_leads_that_are_merged_are_one_person(plain: Caller) -> None:
    run(plain)
    arms: dict[str, list[dict[str, Any]]] = {"A": [], "B": []}
    for number in range(16):
        plain.clock.advance(1)
        begun = start(plain, visitor_id=f"v{number}")
        arms[begun["variants"]["hello"]].append(begun)
    same, (one, other) = arms["A"][:2], (arms["A"][2], arms["B"][0])
    _merge(plain, same[0]["session_id"], same[1]["session_id"])
    _merge(plain, one["session_id"], other["session_id"])
    plain.clock.advance(2 * 86_400)

    said = results(plain)
    assert sum(arm["exposed"] for arm in said["arms"]) == 13
    assert (said["multiple"]["units"], said["multiple"]["aliases"]) == (2, 1)


def _leads(api: Caller, *sessions: str) -> list[int]:
    leads = dict(api.rows("SELECT id, lead_id FROM sessions"))
    return [leads[one] for one in sessions]


@pytest.mark.parametrize("arms", ["AB", "AA"])
@pytest.mark.parametrize("relayed", [True, False])
def test_leads_that_are_parted_again_are_two_people(
    plain: Caller, arms: str, relayed: bool
) -> None:
    run(plain)
    seen: dict[str, list[dict[str, Any]]] = {"A": [], "B": []}
    for number in range(12):
        plain.clock.advance(1)
        begun = start(plain, visitor_id=f"v{number}")
        plain.behave(begun["session_id"], "clicked_demo")
        seen[begun["variants"]["hello"]].append(begun)
    one, other = seen[arms[0]][0], seen[arms[1]][-1]
    # The other's second device, by its own token.
    tablet = _again(plain, other, visitor_id="tablet")
    plain.relay()
    before = plain.rows("SELECT unit, arm, epoch, exposed_at, excluded FROM exposures ORDER BY id")
    counted = "SELECT unit, metric, epoch, exposed_at, excluded FROM conversions ORDER BY id"
    conversions = plain.rows(counted)
    pair = _leads(plain, one["session_id"], other["session_id"])
    plain.clock.advance(3600)

    with plain.unit() as services:
        merge = services.merges.merge(*pair, {}, actor="alice@example.com")
    if relayed:
        plain.relay()
        assert plain.rows("SELECT count(*) FROM unit_aliases") == [(2,)]
    plain.clock.advance(3600)
    with plain.unit() as services:
        services.merges.part(merge, actor="alice@example.com")
    plain.relay()

    assert len(plain.rows("SELECT unit FROM unit_aliases")) == 1, "the tablet's, by its token"
    after = plain.rows("SELECT unit, arm, epoch, exposed_at, excluded FROM exposures ORDER BY id")
    assert after == before and plain.rows(counted) == conversions
    again = start(plain, visitor_id="tablet")
    assert again["variants"] == tablet["variants"] == other["variants"]


def _erase(api: Caller, session: str) -> None:
    """Remove the person of a conversation."""
    lead_id = dict(api.rows("SELECT id, lead_id FROM sessions"))[session]
    with api.unit() as services:
        services.privacy.erase_lead(lead_id, actor="tests")


def test_an_erased_person_leaves_no_alias(plain: Caller) -> None:
    run(plain)
    first = start(plain, visitor_id="phone")
    second = _again(plain, first, visitor_id="laptop")
    aliases = "SELECT unit, canonical FROM unit_aliases"

    _erase(plain, first["session_id"])
    # The other device's conversation is another lead's, and keeps what it saw.
    assert plain.rows(aliases) == [("laptop", first["session_id"])]
    third = start(plain, visitor_id="laptop")
    assert third["variants"] == first["variants"]

    _erase(plain, second["session_id"])
    assert len(plain.rows(aliases)) == 1, "the browser has another conversation yet"
    _erase(plain, third["session_id"])
    assert plain.rows(aliases) == []
    found = plain.rows("SELECT unit FROM assignments UNION SELECT unit FROM exposures")
    assert found == [(first["session_id"],)]
