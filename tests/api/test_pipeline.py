"""The pipeline of sales: activities, follow-ups, outcomes, stages, owners, snooze."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.vocabulary import FactKind
from errors import Conflict, Invalid
from tests.api.conftest import START, Caller, at_once, refused

NOTE = "Frau Kanarienvogel will im Mai zahlen"


def enter(caller: Caller, **data: Any) -> str:
    """The id of a lead that somebody met elsewhere."""
    reply = caller.staff("POST", "/api/leads", {"name": "Walk In", **data})
    assert reply.status_code == 201, reply.text
    return str(reply.json["id"])


def born(caller: Caller, session: str) -> str:
    """The id of the lead that a session gave birth to."""
    with caller.unit() as services:
        return str(services.leads.create_lead(session)["id"])


def see(caller: Caller, lead: str) -> dict[str, Any]:
    """One lead, whole."""
    reply = caller.staff("GET", f"/api/leads/{lead}")
    assert reply.status_code == 200, reply.text
    return dict(reply.json)


def tell(caller: Caller, lead: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """The reply to an activity, a follow-up or an outcome."""
    reply = caller.staff("POST", f"/api/leads/{lead}/{what}", body)
    assert reply.status_code == 201, reply.text
    return dict(reply.json)


def edit(caller: Caller, lead: str, **data: Any) -> dict[str, Any]:
    """The reply to a change."""
    reply = caller.staff("PATCH", f"/api/leads/{lead}", data)
    assert reply.status_code == 200, reply.text
    return dict(reply.json)


def told(lead: dict[str, Any], *kinds: FactKind) -> list[dict[str, Any]]:
    """The facts of these kinds in a lead's history."""
    return [fact for fact in lead["history"] if fact["kind"] in kinds]


def names(caller: Caller, **query: Any) -> list[str]:
    """Who is in a list."""
    return [one["name"] for one in caller.staff("GET", "/api/leads", **query).json["leads"]]


# Activities


def test_a_call_is_kept_with_its_note_and_the_leads_score(plain: Caller) -> None:
    lead = born(plain, plain.reference())
    body = {"kind": "call", "duration": 312.5, "method": "phone", "status": "completed"}
    body |= {"outcome": "Interested, call again", "note": NOTE}

    said = tell(plain, lead, "activities", body)

    assert {name: said[name] for name in body} == body
    assert said["lead_id"] == lead and isinstance(said["id"], str)
    assert said["occurred_at"] == said["recorded_at"] == "2026-11-21T09:00:00.000Z"
    assert said["lead_score"] == said["score"] == 80 and said["score_category"] == "hot"
    assert said["classification"] == said["lead_type"] == "SQL"
    seen = see(plain, lead)
    shown = seen["activities"][0]
    assert shown == {name: said[name] for name in shown}
    assert seen["interaction_count"] == 1 and seen["last_interaction_type"] == "call"
    assert seen["engagement_summary"]["crm_activities"] == 1
    assert seen["stage"] is None, "whether a call was a contact only people know"
    assert plain.differences() == []


def test_what_somebody_wrote_is_personal_and_what_can_be_counted_is_measured(plain: Caller) -> None:
    lead = enter(plain)
    body = {"kind": "meeting", "duration": 60, "method": "on_site", "outcome": "Ann said no"}
    tell(plain, lead, "activities", {**body, "note": NOTE})

    fact = told(see(plain, lead), FactKind.ACTIVITY_LOGGED)[0]
    stored = plain.rows("SELECT CAST(measured AS TEXT) FROM events WHERE kind = 'activity.logged'")

    assert fact["measured"] == {
        "activity_id": 1,
        "kind": "meeting",
        "duration": 60,
        "method": "on_site",
        "actor": "key tests",
    }
    assert fact["note"] == NOTE and fact["outcome"] == "Ann said no"
    assert NOTE not in stored[0][0] and "Ann" not in stored[0][0]


def test_an_activity_of_the_past_stands_where_it_happened(plain: Caller) -> None:
    lead = enter(plain)
    tell(plain, lead, "activities", {"kind": "note"})
    tell(plain, lead, "activities", {"kind": "email", "occurred_at": "2026-11-01T12:00:00+05:30"})

    seen = see(plain, lead)

    assert [one["kind"] for one in seen["activities"]] == ["note", "email"]
    assert seen["activities"][1]["occurred_at"] == "2026-11-01T06:30:00.000Z"
    assert seen["last_interaction_type"] == "note"
    assert seen["last_activity"] == "2026-11-21T09:00:00.000Z"
    # The log is in the order of telling; each fact says when it was.
    facts = told(seen, FactKind.ACTIVITY_LOGGED)
    assert [one["measured"]["kind"] for one in facts] == ["note", "email"]
    assert facts[1]["occurred_at"] == "2026-11-01T06:30:00.000Z"


def test_a_clock_that_is_a_little_fast_is_believed_to_mean_now(lite: Caller) -> None:
    ahead = (START + timedelta(minutes=5)).isoformat()
    said = tell(lite, enter(lite), "activities", {"kind": "call", "occurred_at": ahead})

    assert said["occurred_at"] == "2026-11-21T09:00:00.000Z"


def test_signals_are_counted_whichever_way_they_come(plain: Caller) -> None:
    walk_in, session = enter(plain), plain.start()
    lead = born(plain, session)
    for kind in ("email_open", "email_open", "email_click", "website_visit", "pricing_request"):
        tell(plain, walk_in, "activities", {"kind": kind})
        plain.behave(session, kind)
    tell(plain, walk_in, "activities", {"kind": "clicked_demo"})
    tell(plain, lead, "activities", {"kind": "email_open"})

    summary = {"email_opens": 2, "email_clicks": 1, "website_visits": 1, "crm_activities": 0}
    assert see(plain, walk_in)["engagement_summary"] == summary
    assert see(plain, lead)["engagement_summary"] == {**summary, "email_opens": 3}
    listed = plain.staff("GET", "/api/leads").json["leads"]
    assert {one["id"]: one["engagement_summary"]["email_opens"] for one in listed} == {
        walk_in: 2,
        lead: 3,
    }
    seen = see(plain, walk_in)
    assert seen["interaction_count"] == 0 and seen["last_interaction_type"] is None
    assert seen["activities"][0]["kind"] == "demo_requested"
    assert seen["engagement_level"] == "medium"
    reported = told(see(plain, lead), FactKind.BEHAVIOR_REPORTED)
    assert [fact["measured"]["action"] for fact in reported].count("email_open") == 2
    assert plain.differences() == []


def test_a_workspace_may_have_words_of_its_own(lite: Caller) -> None:
    lead = enter(lite)

    assert tell(lite, lead, "activities", {"kind": "site_visit2"})["kind"] == "site_visit2"
    assert see(lite, lead)["engagement_summary"]["crm_activities"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        ({"kind": ""}, "kind"),
        ({"kind": None}, "kind"),
        ({"kind": "Call"}, "kind"),
        ({"kind": "a call"}, "kind"),
        ({"kind": "x" * 33}, "kind"),
        ({"kind": "session_opened"}, "kind"),
        ({"kind": "confirmed_summary"}, "kind"),
        ({"kind": "call", "duration": -1}, "duration"),
        ({"kind": "call", "duration": 604_801}, "duration"),
        ({"kind": "call", "duration": "60"}, "duration"),
        ({"kind": "call", "duration": True}, "duration"),
        ({"kind": "call", "method": "x" * 65}, "method"),
        ({"kind": "call", "note": "x" * 5001}, "note"),
        ({"kind": "call", "note": ["x"]}, "note"),
        ({"kind": "call", "occurred_at": "yesterday"}, "occurred_at"),
        ({"kind": "call", "occurred_at": 5}, "occurred_at"),
        ({"kind": "call", "occurred_at": ""}, "occurred_at"),
        ({"kind": "call", "occurred_at": "1999-12-31T23:59:59Z"}, "occurred_at"),
        ({"kind": "call", "occurred_at": "2026-11-21T09:05:01Z"}, "occurred_at"),
        ({"kind": "call", "occurred_at": "9999-12-31T23:59:59-23:59"}, "occurred_at"),
    ],
)
def test_an_activity_that_cannot_be_is_422(lite: Caller, body: dict[str, Any], field: str) -> None:
    lead = enter(lite)

    error = refused(lite.staff("POST", f"/api/leads/{lead}/activities", body), 422)

    assert list(error["fields"]) == [field]
    assert see(lite, lead)["activities"] == []


def test_an_activity_is_kept_once_for_one_key(plain: Caller) -> None:
    path = f"/api/leads/{enter(plain)}/activities"
    headers = {**plain.key("leads:write"), "Idempotency-Key": "call-1"}
    client = plain.app.test_client()
    first = client.post(path, json={"kind": "call"}, headers=headers)
    again = client.post(path, json={"kind": "call"}, headers=headers)
    other = client.post(path, json={"kind": "note"}, headers=headers)

    assert again.status_code == 201 and again.data == first.data
    assert again.headers["Idempotent-Replayed"] == "true"
    refused(other, 422, "idempotency_key_reused")
    assert plain.rows("SELECT count(*) FROM activities") == [(1,)]


# Follow-ups


def test_a_follow_up_is_kept_reminded_of_once_and_done(plain: Caller) -> None:
    lead = enter(plain, assigned_to="Asha")
    later = tell(plain, lead, "follow-ups", {"due_at": "2026-12-02", "note": "later"})
    soon = tell(plain, lead, "follow-ups", {"due_at": "2026-11-22T10:00:00Z", "note": NOTE})
    edit(plain, lead, assigned_to="Bob")

    assert later["due_at"] == "2026-12-02T00:00:00.000Z" and soon["assigned_to"] == "Asha"
    assert see(plain, lead)["follow_up_date"] == soon["due_at"]
    assert reminded(plain) == []
    plain.clock.advance(86_400 * 2)
    assert reminded(plain) == [int(soon["id"])]
    assert reminded(plain) == []
    fact = told(see(plain, lead), FactKind.FOLLOW_UP_DUE)[0]
    assert fact["measured"] == {
        "follow_up_id": int(soon["id"]),
        "due_at": soon["due_at"],
        "assigned_to": "Bob",
    }
    done = plain.staff("POST", f"/api/leads/{lead}/follow-ups/{soon['id']}/done").json
    again = plain.staff("POST", f"/api/leads/{lead}/follow-ups/{soon['id']}/done").json
    assert done["done_at"] == again["done_at"] == "2026-11-23T09:00:00.000Z"
    seen = see(plain, lead)
    assert seen["follow_up_date"] == later["due_at"]
    assert [one["id"] for one in seen["follow_ups"]] == [later["id"], soon["id"]]
    kinds = (FactKind.FOLLOW_UP_SET, FactKind.FOLLOW_UP_DUE, FactKind.FOLLOW_UP_DONE)
    facts = told(seen, *kinds)
    assert [one["kind"] for one in facts] == [kinds[0], kinds[0], kinds[1], kinds[2]]
    assert [one.get("note") for one in facts[:2]] == ["later", NOTE]


def reminded(caller: Caller) -> list[int]:
    """The follow-ups of which somebody is reminded now."""
    with caller.unit() as services:
        due = services.diary.due_follow_ups(caller.clock.now(), 10)
        return [one for one in due if services.diary.remind(one)]


def test_nobody_is_reminded_of_what_is_done_deleted_or_not_due(plain: Caller) -> None:
    done, deleted, waiting = enter(plain), enter(plain), enter(plain)
    for lead in (done, deleted):
        tell(plain, lead, "follow-ups", {"due_at": "2026-11-20"})
    tell(plain, waiting, "follow-ups", {"due_at": "2026-11-21T09:00:00.001Z"})
    plain.staff("POST", f"/api/leads/{done}/follow-ups/1/done")
    plain.staff("DELETE", f"/api/leads/{deleted}")

    with plain.unit() as services:
        assert services.diary.due_follow_ups(plain.clock.now(), 10) == []
        assert [services.diary.remind(number) for number in (1, 3, 99)] == [False] * 3


def test_two_reminders_at_once_are_one(plain: Caller) -> None:
    lead = enter(plain)
    tell(plain, lead, "follow-ups", {"due_at": "2026-11-20"})

    def remind() -> bool:
        with plain.unit() as services:
            return services.diary.remind(1)

    assert sorted(at_once(remind, remind, remind)) == [False, False, True]
    assert len(told(see(plain, lead), FactKind.FOLLOW_UP_DUE)) == 1


def test_a_follow_up_that_cannot_be_is_refused(lite: Caller) -> None:
    lead, other = enter(lite), enter(lite)
    path = f"/api/leads/{lead}/follow-ups"
    for due_at in (None, "", "soon", 5, "1999-01-01", "2037-01-01", "9998-12-31T23:59:59Z"):
        error = refused(lite.staff("POST", path, {"due_at": due_at}), 422)
        assert list(error["fields"]) == ["due_at"]
    refused(lite.staff("POST", path, {}), 422)
    tell(lite, other, "follow-ups", {"due_at": "2026-12-01"})
    for number in ("1", "0", "x", "99", "9" * 30):
        refused(lite.staff("POST", f"{path}/{number}/done"), 404, "unknown_follow_up")


# Stages and owners


def test_a_lead_moves_through_the_pipeline_and_each_step_is_a_fact(plain: Caller) -> None:
    lead = born(plain, plain.start())
    edit(plain, lead, stage="contacted")
    seen = edit(plain, lead, stage="Contacted", assigned_to="  Asha ")
    edit(plain, lead, assigned_to="Asha")
    plain.clock.advance(60)
    edit(plain, lead, stage=None, assigned_to="")

    assert (seen["stage"], seen["assigned_to"]) == ("Contacted", "Asha")
    assert seen["staged_at"] == "2026-11-21T09:00:00.000Z"
    seen = see(plain, lead)
    assert (seen["stage"], seen["assigned_to"]) == (None, None)
    by = {"actor": "key tests"}
    assert [fact["measured"] for fact in told(seen, FactKind.LEAD_STAGED)] == [
        {"from": None, "to": "Contacted", "kind": "open", **by},
        {"from": "Contacted", "to": None, "kind": "open", **by},
    ]
    assert [fact["measured"] for fact in told(seen, FactKind.LEAD_ASSIGNED)] == [
        {"from": None, "to": "Asha", **by},
        {"from": "Asha", "to": None, **by},
    ]
    assert told(seen, FactKind.LEAD_EDITED, FactKind.PROFILE_UPDATED) == []
    actions = [row[0] for row in plain.rows("SELECT action FROM audit_entries ORDER BY id")]
    assert actions[-4:] == ["lead.staged", "lead.assigned", "lead.assigned", "lead.staged"]
    assert plain.differences() == []


def test_a_lead_that_is_entered_has_its_owner_and_stage_as_facts(plain: Caller) -> None:
    seen = see(plain, enter(plain, assigned_to="Asha", stage="Meeting"))

    kinds = [fact["kind"] for fact in seen["history"]]
    assert kinds == ["lead.created", "lead.assigned", "lead.staged"]
    assert (seen["stage"], seen["assigned_to"]) == ("Meeting", "Asha")


def test_an_unknown_stage_is_refused_with_the_known_ones_and_nothing_changes(plain: Caller) -> None:
    lead = enter(plain)
    for stage in ("Limbo", "", " "):
        reply = plain.staff("PATCH", f"/api/leads/{lead}", {"name": "Eve", "stage": stage})
        error = refused(reply, 422)
        assert "Uncontacted, Contacted, Meeting, Negotiation, Deal, Reject" in error["message"]
        assert list(error["fields"]) == ["stage"]
    refused(plain.staff("POST", "/api/leads", {"name": "Eve", "stage": "Limbo"}), 422)

    assert names(plain) == ["Walk In"]


def test_whom_nobody_moved_is_found_in_the_first_stage(plain: Caller) -> None:
    enter(plain, name="New")
    enter(plain, name="Placed", stage="Uncontacted")
    enter(plain, name="Moved", stage="Contacted")

    assert sorted(names(plain, stage="Uncontacted")) == ["New", "Placed"]
    assert names(plain, stage="contacted") == ["Moved"]
    assert names(plain, stage="Limbo") == []


def test_the_stages_can_be_changed_unless_a_lead_would_be_stranded(plain: Caller) -> None:
    lead = enter(plain, stage="Meeting")
    ours = [
        {"name": "Neu", "kind": "open"},
        {"name": "meeting", "kind": "open"},
        {"name": "Gewonnen", "kind": "won"},
        {"name": "Verloren", "kind": "lost"},
    ]
    kept = {"name": "Meeting", "kind": "open"}
    with plain.unit() as services, pytest.raises(Conflict, match="Meeting"):
        services.pipeline.change_stages(ours, actor="Alice")
    with plain.unit() as services, pytest.raises(Invalid):
        services.pipeline.change_stages(ours[:1], actor="Alice")
    for _ in range(2):
        with plain.unit() as services:
            services.pipeline.change_stages([ours[0], kept, *ours[2:]], actor="Alice")
    with plain.unit() as services:
        found = [stage.name for stage in services.pipeline.stages().stages]

    assert found == ["Neu", "Meeting", "Gewonnen", "Verloren"]
    assert tell(plain, lead, "outcome", {"outcome": "won"})["stage"] == "Gewonnen"
    refused(plain.staff("PATCH", f"/api/leads/{lead}", {"stage": "Deal"}), 422)
    audited = plain.rows("SELECT actor FROM audit_entries WHERE action = 'settings.changed'")
    assert audited == [("Alice",), ("Alice",)]


# Outcomes


def test_a_won_deal_moves_the_lead_and_closes_the_conversation(plain: Caller) -> None:
    session = plain.reference()
    lead = born(plain, session)
    plain.clock.advance(3600)
    body = {"outcome": "won", "value": 1200.5, "occurred_at": "2026-11-21T09:30:00Z"}

    said = tell(plain, lead, "outcome", body)

    assert said["lead_id"] == lead and said["outcome"] == "won" and said["value"] == 1200.5
    assert said["occurred_at"] == "2026-11-21T09:30:00.000Z" and said["stage"] == "Deal"
    assert said["lead_score"] == 80 and said["score_category"] == "hot"
    seen = see(plain, lead)
    assert (seen["outcome"], seen["outcome_value"]) == ("won", 1200.5)
    assert [fact["kind"] for fact in seen["history"]][-2:] == ["outcome.recorded", "lead.staged"]
    assert told(seen, FactKind.OUTCOME_RECORDED)[0]["measured"] == {
        "outcome": "won",
        "value": 1200.5,
        "from": None,
        "occurred_at": "2026-11-21T09:30:00.000Z",
        "actor": "key tests",
    }
    assert plain.summary(session)["lead_data"]["closed"] is True
    late = {"session_id": session, "question_id": 2, "answer_text": "Pune"}
    refused(plain.post("/api/answer", late), 409, "session_closed")
    assert plain.differences() == []


def test_an_outcome_told_again_is_no_news_and_told_otherwise_is(plain: Caller) -> None:
    lead = enter(plain)
    for outcome, value in (("won", 5), ("won", 5), ("won", 7), ("lost", None), ("lost", None)):
        plain.clock.advance(60)
        tell(plain, lead, "outcome", {"outcome": outcome, "value": value})

    seen = see(plain, lead)
    facts = [fact["measured"] for fact in told(seen, FactKind.OUTCOME_RECORDED)]
    assert [(one["from"], one["outcome"], one["value"]) for one in facts] == [
        (None, "won", 5),
        ("won", "won", 7),
        ("won", "lost", None),
    ]
    assert seen["stage"] == "Reject" and seen["outcome_at"] == "2026-11-21T09:04:00.000Z"
    staged = [fact["measured"]["to"] for fact in told(seen, FactKind.LEAD_STAGED)]
    assert staged == ["Deal", "Reject"]


def test_a_stage_that_ends_it_is_an_outcome_and_an_open_one_reopens_it(plain: Caller) -> None:
    session = plain.start()
    lead = born(plain, session)
    won = edit(plain, lead, stage="Deal")
    back = edit(plain, lead, stage="Negotiation")
    lost = edit(plain, lead, stage="reject")

    assert (won["outcome"], back["outcome"], lost["outcome"]) == ("won", None, "lost")
    assert back["outcome_at"] is back["outcome_value"] is None
    assert [fact["kind"] for fact in lost["history"]][-5:] == [
        *("lead.staged", "outcome.recorded", "lead.staged", "lead.staged", "outcome.recorded")
    ]
    reopened = told(lost, FactKind.LEAD_STAGED)[1]["measured"]
    assert reopened["reopened"] is True and reopened["to"] == "Negotiation"
    assert plain.summary(session)["lead_data"]["closed"] is True, "a talk is not reopened"
    assert plain.differences() == []


def test_every_conversation_of_a_lead_closes_and_the_deal_is_won_once(plain: Caller) -> None:
    best, other = plain.reference(), plain.start()
    lead = born(plain, best)
    # As two leads that were merged.
    with plain.resources.engine.begin() as connection:
        statement = "UPDATE sessions SET lead_id = {} WHERE id = '{}'"
        connection.exec_driver_sql(statement.format(lead, other))

    tell(plain, lead, "outcome", {"outcome": "won"})

    assert [plain.summary(one)["lead_data"]["closed"] for one in (best, other)] == [True, True]
    seen = see(plain, lead)
    outcomes = [fact["measured"]["outcome"] for fact in told(seen, FactKind.OUTCOME_RECORDED)]
    assert sorted(map(str, outcomes)) == ["None", "won"]
    assert (seen["lead_score"], seen["classification"]) == (80, "SQL")
    assert plain.differences() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "outcome"),
        ({"outcome": "maybe"}, "outcome"),
        ({"outcome": None}, "outcome"),
        ({"outcome": "won", "value": -1}, "value"),
        ({"outcome": "won", "value": 2e15}, "value"),
        ({"outcome": "won", "value": "5"}, "value"),
        ({"outcome": "won", "occurred_at": "2027-01-01"}, "occurred_at"),
        ({"outcome": "won", "occurred_at": "never"}, "occurred_at"),
    ],
)
def test_an_outcome_that_cannot_be_is_422(lite: Caller, body: dict[str, Any], field: str) -> None:
    session = lite.start()
    lead = born(lite, session)

    error = refused(lite.staff("POST", f"/api/leads/{lead}/outcome", body), 422)

    assert list(error["fields"]) == [field]
    assert see(lite, lead)["outcome"] is None
    assert lite.summary(session)["lead_data"]["closed"] is False


def test_outcomes_and_answers_at_once_leave_facts_that_replay(plain: Caller) -> None:
    session = plain.start()
    lead = born(plain, session)
    answer = {"session_id": session, "question_id": 1, "answer_text": "Other"}
    replies = at_once(
        lambda: plain.staff("POST", f"/api/leads/{lead}/outcome", {"outcome": "won"}),
        lambda: plain.post("/api/answer", answer),
        lambda: plain.staff("PATCH", f"/api/leads/{lead}", {"stage": "Reject"}),
        lambda: plain.staff("PATCH", f"/api/leads/{lead}", {"stage": "Meeting", "name": "Ann"}),
        lambda: plain.staff("POST", f"/api/leads/{lead}/activities", {"kind": "call"}),
    )

    assert [reply.status_code for reply in replies if reply.status_code >= 500] == []
    assert plain.differences() == []


# Snooze


def test_a_lead_rests_until_its_moment_has_come(plain: Caller) -> None:
    lead = enter(plain)
    resting = edit(plain, lead, snoozed_until="2026-11-22T09:00:00Z")
    assert resting["is_snoozed"] is True
    assert resting["snoozed_until"] == "2026-11-22T09:00:00.000Z"
    assert woken(plain) == []
    plain.clock.advance(86_400)
    assert see(plain, lead)["is_snoozed"] is False
    assert woken(plain) == [int(lead)]
    assert woken(plain) == []

    seen = see(plain, lead)
    assert seen["snoozed_until"] is None
    facts = told(seen, FactKind.LEAD_SNOOZED, FactKind.LEAD_WOKEN)
    assert [(one["kind"], one["measured"]["actor"]) for one in facts] == [
        ("lead.snoozed", "key tests"),
        ("lead.woken", "clock"),
    ]


def woken(caller: Caller) -> list[int]:
    """The leads that the clock wakes now."""
    with caller.unit() as services:
        return services.pipeline.wake_snoozed(caller.clock.now(), 10)


def test_somebody_may_wake_a_lead_and_no_rest_lies_in_the_past(plain: Caller) -> None:
    lead = enter(plain)
    edit(plain, lead, snoozed_until="2026-12-01")
    for bad in ("2026-11-21T09:00:00Z", "2020-01-01", "2050-01-01", "soon", 7):
        error = refused(plain.staff("PATCH", f"/api/leads/{lead}", {"snoozed_until": bad}), 422)
        assert list(error["fields"]) == ["snoozed_until"]

    assert see(plain, lead)["is_snoozed"] is True
    assert edit(plain, lead, snoozed_until=None)["is_snoozed"] is False
    assert len(told(see(plain, lead), FactKind.LEAD_WOKEN)) == 1


# Who, whose, and what is left


def test_alice_works_bob_reads_and_charlie_sees_nothing(plain: Caller) -> None:
    lead = enter(plain)
    client = plain.app.test_client()
    alice, bob = plain.key("leads:write"), plain.key("leads:read")
    charlie = plain.key("leads:export", "analytics:read")
    for what, body in (
        ("activities", {"kind": "note", "note": NOTE}),
        ("follow-ups", {"due_at": "2026-12-01", "note": NOTE}),
        ("outcome", {"outcome": "lost"}),
        ("follow-ups/1/done", None),
    ):
        path = f"/api/leads/{lead}/{what}"
        assert client.post(path, json=body, headers=alice).status_code in (200, 201)
        refused(client.post(path, json=body, headers=bob), 403, "missing_scope")
        refused(client.post(path, json=body, headers=charlie), 403, "missing_scope")
        refused(client.post(path, json=body), 401)

    assert NOTE in client.get(f"/api/leads/{lead}", headers=bob).get_data(as_text=True)
    seen = client.get(f"/api/leads/{lead}", headers=charlie)
    assert seen.status_code == 403 and NOTE not in seen.get_data(as_text=True)
    assert plain.rows("SELECT count(*) FROM activities") == [(1,)]


@pytest.mark.parametrize("lead", ["0", "99", "x", "9" * 30])
def test_nothing_can_be_done_with_an_unknown_or_deleted_lead(lite: Caller, lead: str) -> None:
    gone = enter(lite)
    lite.staff("DELETE", f"/api/leads/{gone}")
    for one in (lead, gone):
        for what, body in (
            ("activities", {"kind": "call"}),
            ("follow-ups", {"due_at": "2026-12-01"}),
            ("outcome", {"outcome": "won"}),
            ("follow-ups/1/done", None),
        ):
            reply = lite.staff("POST", f"/api/leads/{one}/{what}", body)
            refused(reply, 404, "unknown_lead")


STEPS = st.one_of(
    st.tuples(st.just("stage"), st.sampled_from([None, "Contacted", "Meeting", "Deal", "Reject"])),
    st.tuples(st.just("owner"), st.sampled_from([None, "Asha", "Bob"])),
    st.tuples(st.just("activity"), st.sampled_from(["call", "note", "email_open"])),
    st.tuples(st.just("follow-up"), st.sampled_from(["2026-11-20", "2026-12-24"])),
    st.tuples(st.just("outcome"), st.sampled_from(["won", "lost"])),
    st.tuples(st.just("snooze"), st.sampled_from([None, "2026-12-24"])),
    st.tuples(st.just("answer"), st.sampled_from(["Pune", "Mumbai", "Navi Mumbai East"])),
    st.tuples(st.just("contact"), st.sampled_from(["ann@example.com", "bob@example.com"])),
)


@given(steps=st.lists(STEPS, max_size=10))
@settings(
    max_examples=12,
    deadline=None,
    # One application serves all walks; each has a lead of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_steps_of_sales_and_visitor_replay_without_a_difference(
    lite: Caller, steps: list[tuple[str, Any]]
) -> None:
    session = lite.start()
    lead, ended = born(lite, session), False
    for step, value in steps:
        done = take(lite, session, lead, step, value)
        ended = ended or value in ("Deal", "Reject", "won", "lost")
        wanted = (409,) if ended and step in ("answer", "contact") else (200, 201)
        assert done in wanted, (step, value, done)

    assert lite.differences() == []
    seen = see(lite, lead)
    kinds = {"Deal": "won", "Reject": "lost"}
    assert seen["outcome"] == kinds.get(str(seen["stage"]))
    assert lite.summary(session)["lead_data"]["closed"] is ended


def take(caller: Caller, session: str, lead: str, step: str, value: Any) -> int:
    """The status of one step."""
    path = f"/api/leads/{lead}"
    changes = {"stage": "stage", "owner": "assigned_to", "snooze": "snoozed_until"}
    if step in changes:
        return caller.staff("PATCH", path, {changes[step]: value}).status_code
    if step == "answer":
        body = {"session_id": session, "question_id": 2, "answer_text": value}
        reply = caller.post("/api/answer", body)
        repeated = reply.status_code == 200 and caller.summary(session)["lead_data"]["closed"]
        return 409 if repeated else reply.status_code
    if step == "contact":
        body = {"session_id": session, "profile_data": {"email": value}}
        return caller.post("/api/lead/profile", body).status_code
    bodies = {"activity": "kind", "follow-up": "due_at", "outcome": "outcome"}
    place = {"activity": "activities", "follow-up": "follow-ups", "outcome": "outcome"}[step]
    return caller.staff("POST", f"{path}/{place}", {bodies[step]: value}).status_code
