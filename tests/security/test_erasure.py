"""After an erasure nothing of the person is left in any row of any table."""

from __future__ import annotations

from sqlalchemy import select

from models import Base, Lead
from services.diary_service import NewActivity
from tests.security.test_strangers import canaries, journey
from tests.shop import Shop, bearer

LONG_ID = "my-own-" + "i" * 240


def everything(ours: Shop) -> str:
    """All rows of all tables as one text."""
    with ours.unit() as services:
        rows = [
            str([value.decode() if isinstance(value, bytes) else value for value in row])
            for table in Base.metadata.tables.values()
            for row in services.session.execute(select(table))
        ]
    return "\n".join(rows)


def erase(ours: Shop, lead_id: int) -> None:
    """Takes a person out, as the operator does."""
    done = ours.app.test_cli_runner().invoke(args=["erase-lead", str(lead_id)])
    assert done.exit_code == 0, done.output


def test_a_visitor_is_gone_from_every_row(ours: Shop) -> None:
    session, words = journey(ours, 3)
    body = {"session_id": session, "profile_data": {"name": words[6]}}
    ours.app.test_client().post(
        "/api/lead/profile", json=body, headers={"Idempotency-Key": "once-and-for-all"}
    )
    assert all(word in everything(ours) for word in canaries(3).values())
    with ours.unit() as services:
        lead = services.leads.create_lead(session)["id"]

    erase(ours, lead)

    left = everything(ours)
    assert [word for word in words if word in left] == []


def test_replies_stored_for_a_long_id_of_the_callers_own_are_gone_too(ours: Shop) -> None:
    with ours.unit() as services:
        lead = services.leads.create_lead(LONG_ID)["id"]
    body = {"session_id": LONG_ID, "profile_data": canaries(4)}
    headers = {"Idempotency-Key": "once-and-for-all"}
    reply = ours.app.test_client().post("/api/lead/profile", json=body, headers=headers)
    assert reply.status_code == 200

    erase(ours, lead)

    left = everything(ours)
    assert [word for word in canaries(4).values() if word in left] == []


def test_a_lead_that_a_program_entered_is_gone_from_its_stored_reply(ours: Shop) -> None:
    headers = {**bearer(ours.new_key("leads:write")), "Idempotency-Key": "once-and-for-all"}
    client = ours.app.test_client()
    person = {name: value for name, value in canaries(5).items() if name != "secret_wish"}
    lead = client.post("/api/leads", json=person, headers=headers).json["id"]
    other = client.post(
        "/api/leads", json={"name": "Stays"}, headers={**headers, "Idempotency-Key": "another"}
    )

    erase(ours, int(lead))

    left = everything(ours)
    assert [word for word in person.values() if word in left] == []
    again = client.post(
        "/api/leads", json={"name": "Stays"}, headers={**headers, "Idempotency-Key": "another"}
    )
    assert again.json == other.json


def test_what_sales_wrote_of_a_person_is_gone_and_its_counts_stay(ours: Shop) -> None:
    session, words = journey(ours, 6)
    with ours.unit() as services:
        lead = services.leads.create_lead(session)["id"]
        other = int(services.book.enter({"name": "Stays"}, actor="tests")["id"])
        # So that no number of an activity is by chance the lead's.
        for _ in range(lead):
            services.diary.log_activity(other, NewActivity("note", note="Stays"), actor="tests")
            services.diary.set_follow_up(other, ours.clock.now(), note="Stays", actor="tests")
    work(ours, lead, words[6])
    with ours.unit() as services:
        before = services.replays.replay_all()
        stays = services.diary.find_diary(services.session.get_one(Lead, other))
    assert everything(ours).count(words[6]) > 10

    erase(ours, lead)

    left = everything(ours)
    assert [word for word in words if word in left] == []
    with ours.unit() as services:
        after = services.replays.replay_all()
        diary = services.book.find_lead(lead)
        assert services.diary.find_diary(services.session.get_one(Lead, other)) == stays
    assert after.differences == before.differences == []
    assert after.hash == before.hash
    call = diary["activities"][0]
    assert (call["kind"], call["duration"], call["method"]) == ("call", 60.0, "phone")
    assert diary["follow_up_date"] is None
    assert call["note"] is call["status"] is call["outcome"] is None
    assert (diary["outcome"], diary["assigned_to"]) == ("lost", "Asha")


def work(ours: Shop, lead: int, word: str) -> None:
    """Sales does all it can with a lead, and writes the person's name wherever there is room."""
    headers = bearer(ours.new_key("leads:write"))
    client = ours.app.test_client()
    call = {"kind": "call", "duration": 60, "method": "phone", "note": f"rang {word}"}
    call |= {"status": f"{word} was there", "outcome": f"{word}: no"}
    for number, (what, body) in enumerate(
        (
            ("activities", call),
            ("follow-ups", {"due_at": "2026-11-20", "note": f"ring {word}"}),
            ("outcome", {"outcome": "lost"}),
        )
    ):
        path, once = f"/api/leads/{lead}/{what}", {"Idempotency-Key": f"once-{number}"}
        reply = client.post(path, json=body, headers={**headers, **once})
        assert reply.status_code == 201, reply.text
    change = {"assigned_to": "Asha", "snoozed_until": "2026-12-24"}
    assert client.patch(f"/api/leads/{lead}", json=change, headers=headers).status_code == 200


def test_the_browsers_id_is_gone_and_the_visitor_keeps_the_arm(ours: Shop) -> None:
    client = ours.app.test_client()
    start = {"visitor_id": "browser-4711-of-one-person"}
    session = client.post("/api/session/start", json=start).json["session_id"]
    path = "/api/ab-test/variant/greeting_message"
    before = client.post(path, json={"session_id": session}).json["variant"]
    with ours.unit() as services:
        lead = services.leads.create_lead(session)["id"]

    erase(ours, lead)

    assert start["visitor_id"] not in everything(ours)
    assert client.post(path, json={"session_id": session}).json["variant"] == before


def test_a_browser_that_came_twice_keeps_its_arms_while_one_visit_is_erased(ours: Shop) -> None:
    client = ours.app.test_client()
    start = {"visitor_id": "browser-0815-of-two-visits"}
    first = client.post("/api/session/start", json=start).json
    second = client.post("/api/session/start", json=start).json
    with ours.unit() as services:
        lead = services.leads.create_lead(first["session_id"])["id"]

    erase(ours, lead)

    third = client.post("/api/session/start", json=start).json
    assert first["variants"] == second["variants"] == third["variants"]
