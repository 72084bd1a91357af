"""Facts become deliveries, deliveries become messages, and nothing on the way is lost."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

import outbox
from engine.vocabulary import FactKind
from integrations.errors import ItemRefused, TryLater
from jobs.relay import Relay
from jobs.subscriptions import Subscriber
from models import Delivery, DeliveryAttempt, Destination, Event, Lead, LeadScore, PendingFact
from outbox import NewFact
from tests.jobs.conftest import OPERATOR, Desk
from tests.shop import Shop, shop

LOCKS_WAITED_FOR = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def triggers(desk: Desk) -> list[str]:
    return [told["data"]["trigger"] for told in desk.heard()]


def test_a_lead_that_becomes_sql_is_told_once_with_its_reasons(desk: Desk) -> None:
    desk.add(triggers=["became_sql"])
    session_id = desk.shop.start(utm_source="google_ads")["session_id"]

    desk.become_sql(session_id)
    desk.work()
    desk.demo(session_id)
    desk.work()

    (told,) = desk.heard()
    assert told["data"]["trigger"] == "became_sql"
    assert told["data"]["classification"] == "SQL"
    assert told["data"]["lead"]["name"] == "Asha"
    assert [reason["points"] for reason in told["data"]["reasons"]] == [25, 25, 15]
    assert desk.only()["status"] == "delivered"


def test_an_sql_lead_without_a_contact_is_told_when_it_has_one(desk: Desk) -> None:
    desk.add(triggers=["became_sql"])
    session_id = desk.shop.start()["session_id"]
    said = ("Restaurant", "Mumbai, near the station", "2–5", "₹50K–₹2L", "Billing")
    for number, text in enumerate(said, start=1):
        body = {"session_id": session_id, "question_id": number, "answer_text": text}
        desk.post("/api/answer", body)
    desk.demo(session_id)
    desk.work()
    assert desk.heard() == []

    profile = {"email": "asha@example.com"}
    desk.post("/api/lead/profile", {"session_id": session_id, "profile_data": profile})
    desk.work()

    assert triggers(desk) == ["became_sql"]


def test_without_the_rule_an_sql_lead_is_told_at_once(desk: Desk) -> None:
    desk.add(triggers=["became_sql"])
    desk.post("/api/alerts/config", {"sql_requires_contact": False})
    session_id = desk.shop.start()["session_id"]
    for number, text in enumerate(("Restaurant", "Pune", "2–5", "₹50K–₹2L", "Billing"), start=1):
        body = {"session_id": session_id, "question_id": number, "answer_text": text}
        desk.post("/api/answer", body)
    desk.demo(session_id)
    desk.work()

    assert triggers(desk) == ["became_sql"]


def test_a_destination_without_triggers_hears_all(desk: Desk) -> None:
    desk.add()
    desk.become_sql(desk.shop.start()["session_id"])
    desk.work()

    expected = {"demo_requested", "contact_shared", "journey_completed", "became_sql", "became_hot"}
    assert sorted(triggers(desk)) == sorted(expected)


def test_hot_is_told_once_a_crossing(desk: Desk) -> None:
    desk.add(triggers=["became_hot"])
    desk.post("/api/alerts/config", {"hot_threshold": 20, "warm_threshold": 10})
    session_id = desk.shop.start()["session_id"]
    desk.demo(session_id)
    desk.work()
    body = {"session_id": session_id, "question_id": 1, "answer_text": "Restaurant"}
    desk.post("/api/answer", body)
    desk.work()

    assert triggers(desk) == ["became_hot"]


def test_a_trigger_that_is_off_is_told_to_nobody(desk: Desk) -> None:
    desk.add()
    desk.post("/api/alerts/config", {"triggers": {"demo_requested": False}})
    desk.demo(desk.shop.start()["session_id"])
    desk.work()

    assert desk.heard() == []


@pytest.mark.parametrize(
    ("status", "headers", "state", "waits"),
    [
        (500, {}, "retry", 5),
        (503, {"Retry-After": "120"}, "retry", 120),
        (429, {"Retry-After": "Sat, 21 Nov 2026 09:10:00 GMT"}, "retry", 600),
        (400, {}, "dead", None),
        (410, {}, "held", None),
    ],
)
def test_an_answer_of_the_receiver_decides_what_comes_next(
    desk: Desk, status: int, headers: dict[str, str], state: str, waits: int | None
) -> None:
    desk.add()
    desk.receiver.says(status, headers, "no such luck")
    desk.demo(desk.shop.start()["session_id"])
    desk.work()

    delivery = desk.only()
    assert delivery["status"] == state
    assert delivery["reply_status"] == status
    assert delivery["reply"] == "no such luck"
    assert (delivery["next_try_at"] is not None) == (waits is not None)
    if waits:
        desk.shop.clock.advance(waits * 0.85)  # type: ignore[attr-defined]
        desk.work()
        assert len(desk.receiver.requests) == 1
        desk.shop.clock.advance(waits * 0.3)  # type: ignore[attr-defined]
        desk.receiver.says(200)
        desk.work()
        assert desk.only()["status"] == "delivered"
        first, second = desk.receiver.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_what_asks_for_a_pause_pauses_the_place_and_not_the_others(desk: Desk) -> None:
    desk.add(triggers=["demo_requested"])
    desk.receiver.says(429, {"Retry-After": "60"})
    for _ in range(3):
        desk.demo(desk.shop.start()["session_id"])
    desk.work()

    assert len(desk.receiver.requests) <= 3
    tried = len(desk.receiver.requests)
    desk.demo(desk.shop.start()["session_id"])
    desk.work()
    assert len(desk.receiver.requests) == tried

    desk.shop.clock.advance(61)  # type: ignore[attr-defined]
    desk.receiver.says(200)
    desk.work()
    assert {one["status"] for one in desk.deliveries()} == {"delivered"}


def test_a_stopped_place_holds_its_messages_until_it_is_switched_on(desk: Desk) -> None:
    place = desk.add(triggers=["demo_requested"])
    desk.receiver.says(404, body="no_service")
    desk.demo(desk.shop.start()["session_id"])
    desk.work()
    desk.demo(desk.shop.start()["session_id"])
    desk.work()

    assert [one["status"] for one in desk.deliveries()] == ["held", "held"]
    assert len(desk.receiver.requests) == 1
    reply = desk.client.get(
        f"/api/destinations/{place['id']}", headers={"Authorization": f"Bearer {desk.key}"}
    )
    assert reply.json["state"] == "stopped"
    assert "404" in reply.json["reason"]

    desk.receiver.says(200)
    desk.patch(f"/api/destinations/{place['id']}", {"enabled": True})
    desk.work()
    assert [one["status"] for one in desk.deliveries()] == ["delivered", "delivered"]


def test_quiet_hours_delay_and_do_not_lose(desk: Desk) -> None:
    desk.add(quiet_hours={"start": "08:00", "end": "10:00", "tz": "UTC"})
    desk.demo(desk.shop.start()["session_id"])
    desk.work()
    assert desk.heard() == []
    assert desk.only()["next_try_at"] == "2026-11-21T10:00:00.000Z"

    desk.shop.clock.advance(3600)  # type: ignore[attr-defined]
    desk.work()
    assert triggers(desk) == ["demo_requested"]


def test_a_digest_tells_everything_at_once(desk: Desk) -> None:
    desk.add(triggers=["demo_requested"], digest="hourly")
    for _ in range(3):
        desk.demo(desk.shop.start()["session_id"])
    desk.work()
    assert desk.heard() == []

    with desk.shop.unit() as services:
        assert services.notifications.make_digests("hourly") == 1
        assert services.notifications.make_digests("hourly") == 0
    desk.work()

    (told,) = desk.heard()
    assert len(told["data"]["items"]) == 3
    assert {one["status"] for one in desk.deliveries()} == {"delivered"}


def test_a_digest_that_was_held_is_told_once_and_nothing_beside_it(desk: Desk) -> None:
    place = desk.add(triggers=["demo_requested"], digest="hourly")
    for _ in range(2):
        desk.demo(desk.shop.start()["session_id"])
    desk.work()
    with desk.shop.unit() as services:
        services.notifications.make_digests("hourly")
    desk.receiver.says(404)
    desk.work()
    assert {one["status"] for one in desk.deliveries()} == {"held"}

    desk.receiver.says(200)
    desk.patch(f"/api/destinations/{place['id']}", {"enabled": True})
    desk.work()

    assert [len(told["data"].get("items", ())) for told in desk.heard()] == [2, 2]
    assert len({one.headers["webhook-id"] for one in desk.receiver.requests}) == 1
    assert {one["status"] for one in desk.deliveries()} == {"delivered"}


def test_what_waits_for_a_digest_goes_on_waiting_for_it_while_the_place_rests(desk: Desk) -> None:
    place = desk.add(triggers=["demo_requested"], digest="hourly")
    desk.demo(desk.shop.start()["session_id"])
    desk.work()

    desk.patch(f"/api/destinations/{place['id']}", {"enabled": False})
    desk.patch(f"/api/destinations/{place['id']}", {"enabled": True})
    desk.work()
    assert desk.heard() == []

    with desk.shop.unit() as services:
        assert services.notifications.make_digests("hourly") == 1
    desk.work()
    assert triggers(desk) == ["digest"]


def test_a_place_that_wants_no_digest_any_more_hears_what_waited_for_one(desk: Desk) -> None:
    place = desk.add(triggers=["demo_requested"], digest="hourly")
    desk.demo(desk.shop.start()["session_id"])
    desk.work()

    desk.patch(f"/api/destinations/{place['id']}", {"digest": None})
    desk.work()

    assert triggers(desk) == ["demo_requested"]


def test_who_is_killed_while_sending_leaves_a_lease_that_runs_out(desk: Desk) -> None:
    desk.add(triggers=["demo_requested"])
    desk.demo(desk.shop.start()["session_id"])
    desk.relay.fan_out()
    with desk.shop.unit() as services:
        (claimed,) = services.notifications.prepare(10)
    desk.work()
    assert desk.only()["status"] == "sending"

    desk.shop.clock.advance(61)  # type: ignore[attr-defined]
    desk.work()

    assert desk.only()["status"] == "delivered"
    assert desk.only()["attempts"] == 2
    assert desk.receiver.last.headers["webhook-id"] == claimed.delivery.id


def test_a_late_settlement_does_not_undo_a_newer_one(desk: Desk) -> None:
    desk.add(triggers=["demo_requested"])
    desk.demo(desk.shop.start()["session_id"])
    desk.relay.fan_out()
    with desk.shop.unit() as services:
        (slow,) = services.notifications.prepare(10)
    desk.shop.clock.advance(61)  # type: ignore[attr-defined]
    desk.work()

    with desk.shop.unit() as services:
        services.notifications.settle(slow, ItemRefused("late"), 0.1)

    assert desk.only()["status"] == "delivered"


def test_a_subscriber_that_fails_keeps_the_fact_for_later_and_hurts_no_other_lead(
    desk: Desk,
) -> None:
    broken: set[int] = set()
    told: list[int] = []

    def react(services: Any, lead_id: int | None, facts: Any) -> None:
        if lead_id in broken:
            raise RuntimeError("a fault of ours")
        told.extend(fact.id for fact in facts)

    relay = Relay(
        desk.shop.resources, [Subscriber("one", frozenset({FactKind.SESSION_STARTED}), react)]
    )
    desk.shop.start(), desk.shop.start()
    with desk.shop.unit() as services:
        born = select(Event.lead_id).where(Event.lead_id.is_not(None)).order_by(Event.id)
        first = services.session.scalars(born.limit(1)).one()
    assert first is not None
    broken.add(first)
    while relay.fan_out():
        pass
    assert len(told) == 1

    broken.clear()
    desk.shop.clock.advance(timedelta(minutes=2).total_seconds())  # type: ignore[attr-defined]
    while relay.fan_out():
        pass

    assert len(told) == 2
    with desk.shop.unit() as services:
        assert services.session.scalar(select(func.count()).select_from(PendingFact)) == 0


def test_who_has_just_come_does_not_wait_behind_a_long_queue(desk: Desk) -> None:
    told: list[int | None] = []

    def react(services: Any, lead_id: int | None, facts: Any) -> None:
        told.append(lead_id)

    relay = Relay(desk.shop.resources, [Subscriber("one", frozenset(FactKind), react)])
    with desk.shop.unit() as services:
        now = services.now()
        facts = [NewFact(FactKind.LEAD_CREATED, now, lead_id=one) for one in range(1, 302)]
        outbox.record(services.session, *facts)

    relay.fan_out()

    assert told[:4] == [301, 1, 300, 2]


def test_a_fact_of_a_clock_that_ran_ahead_is_told_all_the_same(desk: Desk) -> None:
    desk.add(triggers=["demo_requested"])
    desk.demo(desk.shop.start()["session_id"])
    desk.shop.clock.advance(-3600)  # type: ignore[attr-defined]

    while desk.relay.fan_out():
        pass

    assert desk.only()["trigger"] == "demo_requested"


def test_sending_again_keeps_the_id(desk: Desk) -> None:
    desk.add(triggers=["demo_requested"])
    desk.demo(desk.shop.start()["session_id"])
    desk.work()
    delivery = desk.only()

    desk.post(f"/api/deliveries/{delivery['id']}/resend")
    desk.work()

    assert [one.headers["webhook-id"] for one in desk.receiver.requests] == [delivery["id"]] * 2
    reply = desk.client.get(
        f"/api/deliveries/{delivery['id']}", headers={"Authorization": f"Bearer {desk.key}"}
    )
    assert [one["outcome"] for one in reply.json["attempt_log"]] == ["delivered", "delivered"]


def test_nobody_hears_of_an_erased_lead(desk: Desk) -> None:
    desk.add(quiet_hours={"start": "08:00", "end": "10:00", "tz": "UTC"})
    desk.become_sql(desk.shop.start()["session_id"])
    while desk.relay.fan_out():
        pass
    lead_id = int(desk.deliveries()[0]["lead_id"])
    with desk.shop.unit() as services:
        services.privacy.erase_lead(lead_id, actor="tests")

    desk.shop.clock.advance(2 * 3600)  # type: ignore[attr-defined]
    desk.work()

    assert desk.heard() == []
    assert {one["status"] for one in desk.deliveries()} == {"dead"}


def test_erasure_forgets_what_receivers_said_of_the_lead(desk: Desk) -> None:
    """A receiver may reply with what it was sent."""
    desk.receiver.says(503, body="no place for Asha")
    desk.add(triggers=["became_sql"])
    desk.add(triggers=["became_sql"], digest="hourly")
    desk.become_sql(desk.shop.start()["session_id"])
    desk.work()
    with desk.shop.unit() as services:
        services.notifications.make_digests("hourly")
    desk.work()
    desk.relay.fan_out()
    lead_id = next(int(one["lead_id"]) for one in desk.deliveries() if one["lead_id"])
    assert all("Asha" in str(one["reply"]) for one in desk.deliveries() if one["attempts"])

    with desk.shop.unit() as services:
        services.privacy.erase_lead(lead_id, actor="tests")

    with desk.shop.unit() as services:
        for table in (Delivery, DeliveryAttempt):
            replies = services.session.scalars(select(table.reply)).all()
            assert replies and set(replies) == {None}


def test_a_reply_that_comes_after_an_erasure_is_not_kept(desk: Desk) -> None:
    desk.add(triggers=["became_sql"])
    desk.become_sql(desk.shop.start()["session_id"])
    while desk.relay.fan_out():
        pass
    with desk.shop.unit() as services:
        (slow,) = services.notifications.prepare(10)
    lead_id = int(desk.only()["lead_id"])
    with desk.shop.unit() as services:
        services.privacy.erase_lead(lead_id, actor="tests")

    with desk.shop.unit() as services:
        late = TryLater("Not now.", status=503, reply="no place for Asha")
        services.notifications.settle(slow, late, 0.1)

    told = desk.only()
    assert (told["status"], told["next_try_at"], told["reply"]) == ("dead", None, None)


def test_what_was_being_sent_to_a_deleted_place_is_not_tried_again(desk: Desk) -> None:
    place = desk.add(triggers=["demo_requested"])
    desk.demo(desk.shop.start()["session_id"])
    desk.relay.fan_out()
    with desk.shop.unit() as services:
        (slow,) = services.notifications.prepare(10)
    with desk.shop.unit() as services:
        services.destinations.remove(place["id"], who=OPERATOR)

    with desk.shop.unit() as services:
        services.notifications.settle(slow, TryLater("Not now.", status=503), 0.1)

    assert (desk.only()["status"], desk.only()["next_try_at"]) == ("dead", None)


def test_a_test_of_a_place_that_is_off_is_held_until_it_is_on(desk: Desk) -> None:
    place = desk.add(enabled=False)

    told = desk.post(f"/api/destinations/{place['id']}/test", status=202)
    desk.work()
    assert (told["status"], told["trigger"], told["channel"]) == ("held", "test", "webhook")
    assert desk.heard() == []

    desk.patch(f"/api/destinations/{place['id']}", {"enabled": True})
    desk.work()
    assert triggers(desk) == ["test"]


def test_an_assigned_lead_names_its_owner_and_a_won_deal_its_value(desk: Desk) -> None:
    desk.add(triggers=["lead_assigned", "deal_won"])
    lead = desk.post("/api/leads", {"name": "Asha", "email": "asha@example.com"}, status=201)

    desk.patch(f"/api/leads/{lead['id']}", {"assigned_to": "Bina"})
    desk.post(f"/api/leads/{lead['id']}/outcome", {"outcome": "won", "value": 1200}, status=201)
    desk.work()

    told = {one["data"]["trigger"]: one["data"] for one in desk.heard()}
    assert set(told) == {"lead_assigned", "deal_won"}
    assert told["lead_assigned"]["details"] == [{"label": "Assigned to", "text": "Bina"}]
    assert told["deal_won"]["details"] == [{"label": "Value", "text": "1,200.00"}]


def test_what_a_script_asks_for_is_sent_with_the_data_it_gave(desk: Desk) -> None:
    place = desk.add(triggers=["deal_won"])

    desk.post(f"/api/destinations/{place['id']}/test", status=202)
    desk.work()

    assert desk.heard()[0]["type"] == "lead.test"
    assert desk.only()["status"] == "delivered"


def test_a_relay_leaves_what_only_another_environment_can_send(
    desk: Desk, database_url: str, tmp_path: Path
) -> None:
    slack = "https://hooks.slack.com/services/T0/B0/SECRET"
    with shop(database_url, tmp_path, SLACK_WEBHOOK_URL=slack) as server:
        desk.demo(server.start()["session_id"])
        while Relay(server.resources).fan_out():
            pass

        assert desk.relay.send() == 0

        assert {one["status"] for one in desk.deliveries()} == {"pending"}
        with server.unit() as services:
            assert services.session.get_one(Destination, "env_slack").state == "working"
            assert len(services.notifications.prepare(10)) == 1


def waits_for_a_lock(asks: Shop) -> bool:
    """Whether somebody waits for a row of the database; on SQLite a whole unit waits instead."""
    if asks.resources.engine.dialect.name == "sqlite":
        return True
    with asks.resources.engine.connect() as connection:
        return bool(connection.exec_driver_sql(LOCKS_WAITED_FOR).scalar())


def test_of_two_relays_the_slower_one_stores_no_older_score(desk: Desk) -> None:
    desk.shop.start()
    desk.work()
    with desk.shop.unit() as services:
        lead_id = services.session.scalars(select(Lead.id)).one()

    def renew() -> None:
        with desk.shop.unit() as services:
            services.lead_scores.renew(lead_id)

    slower = threading.Thread(target=renew)
    with desk.shop.unit() as services:
        held = select(LeadScore).where(LeadScore.lead_id == lead_id).with_for_update()
        services.session.scalars(held).all()
        slower.start()
        while not waits_for_a_lock(desk.shop):
            pass
        services.session.execute(update(Lead).values(lead_score=85))
    slower.join()

    with desk.shop.unit() as services:
        assert services.session.get_one(LeadScore, (lead_id, "core_points")).score == 85


@pytest.mark.parametrize("named_by", ["session_id", "email"])
def test_erasure_finds_what_a_script_had_sent_of_the_lead(
    database_url: str, tmp_path: Path, named_by: str
) -> None:
    slack = "https://hooks.slack.com/services/T0/B0/SECRET"
    with shop(database_url, tmp_path, SLACK_WEBHOOK_URL=slack) as server:
        session_id = server.start()["session_id"]
        given = {"session_id": session_id, "email": "Asha@example.com"}
        with server.unit() as services:
            services.leads.update_profile(session_id, {"email": given["email"]})
        with server.unit() as services:
            data = {"name": "Asha", named_by: given[named_by]}
            services.notifications.send_slack_notification(data)
            lead_id = services.session.scalars(select(Lead.id)).one()

        with server.unit() as services:
            services.privacy.erase_lead(lead_id, actor="tests")

        with server.unit() as services:
            facts = select(Event).where(Event.kind == FactKind.ALERT_REQUESTED)
            assert services.session.scalars(facts).one().personal is None
            asked = select(Delivery).where(Delivery.trigger == "requested")
            assert services.session.scalars(asked).one().status == "dead"


def test_a_pause_is_a_try_and_no_failure(desk: Desk) -> None:
    desk.add(triggers=["demo_requested"])
    desk.receiver.says(429, {"Retry-After": "60"})
    desk.demo(desk.shop.start()["session_id"])
    for _ in range(9):
        desk.work()
        desk.shop.clock.advance(70)  # type: ignore[attr-defined]

    assert desk.only()["status"] == "retry"
    assert desk.only()["attempts"] == 9
