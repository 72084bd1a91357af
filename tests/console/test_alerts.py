"""The pages of alerts and deliveries."""

from __future__ import annotations

from jobs.relay import Relay
from tests.console.office import Office, plain

HOOK = "https://93.184.216.34/hook"
HOSTILE = "<img src=x onerror=alert(1)>"


def _add(ours: Office, **more: str) -> None:
    form = {"channel": "webhook", "address": HOOK, "enabled": "on", **more}
    reply = ours.alice.post("/console/alerts/new", form)
    assert reply.status_code == 200, reply.text
    assert "whsec_" in reply.text and "shown this once" in reply.text


def test_a_place_is_added_tried_and_taken_away(ours: Office) -> None:
    _add(ours, name="Our program", triggers="became_hot")
    alice = ours.alice
    assert "Our program" in alice.text("/console/alerts")
    assert "93.184.216.34/hook" not in alice.get("/console/alerts").text, "an address is a secret"
    place = ours.ask(lambda services: services.destinations.list_all()["destinations"][0]["id"])

    sent = alice.post(f"/console/alerts/{place}/test")
    watched = alice.text(sent.headers["Location"])
    assert "waiting" in watched and "Not tried yet" in watched
    assert "A test message is on its way." in watched

    assert alice.post(f"/console/alerts/{place}/remove").status_code == 303
    assert "Nobody hears of leads yet" in alice.text("/console/alerts")


def test_a_refused_place_keeps_what_was_typed(small: Office) -> None:
    form = {"channel": "webhook", "address": "https://127.0.0.1/x", "name": HOSTILE}

    reply = small.alice.post("/console/alerts/new", form)

    assert reply.status_code == 422
    assert 'value="&lt;img src=x onerror=alert(1)&gt;"' in reply.text
    assert HOSTILE not in reply.text
    assert 'aria-invalid="true"' in reply.text


def test_rules_are_kept_and_a_bad_one_is_named(ours: Office) -> None:
    mark = ours.mark
    good = {"queue_profile": "crm_rules", "hot_threshold": "80", "warm_threshold": "40"}

    kept = mark.post("/console/alerts/rules", {**good, "triggers": ["became_hot"]})
    refused = mark.post("/console/alerts/rules", {**good, "warm_threshold": "90"})
    quiet = mark.post("/console/alerts/rules", {**good, "quiet_start": "22:00"})

    assert kept.status_code == 303
    config = ours.ask(lambda services: services.destinations.config())
    assert config["queue_profile"] == "crm_rules" and config["hot_threshold"] == 80
    assert config["triggers"]["became_hot"] and not config["triggers"]["deal_won"]
    assert refused.status_code == quiet.status_code == 422


def test_a_delivery_that_failed_is_explained_and_sent_again(ours: Office) -> None:
    _add(ours)
    ours.enter_lead(email="lena@example.com", assigned_to="sam@example.com")
    relay = Relay(ours.resources)
    while relay.fan_out():
        pass
    alice = ours.alice
    assert "A lead got an owner" in alice.text("/console/deliveries")
    delivery = ours.ask(lambda services: _first(services)["id"])

    again = alice.post(f"/console/deliveries/{delivery}/resend", follow=True)

    assert "It is sent again." in plain(again.text)
    assert "Nothing was sent that fits" in alice.text("/console/deliveries", status="dead")


def test_only_who_tunes_alerts_sees_and_changes_them(small: Office) -> None:
    assert small.sam.get("/console/alerts").status_code == 403
    assert small.vera.get("/console/deliveries").status_code == 403
    assert small.mark.get("/console/alerts/new").status_code == 200
    assert "Another service" not in small.mark.get("/console/alerts/new").text
    form = {"channel": "other", "address": "ntfy://x", "enabled": "on"}
    assert small.mark.post("/console/alerts/new", form).status_code == 403


def _first(services):  # type: ignore[no-untyped-def]
    from services.delivery_log import DeliveryFilter

    return services.deliveries.list_deliveries(DeliveryFilter())["deliveries"][0]
