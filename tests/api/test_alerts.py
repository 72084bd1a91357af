"""Who hears of a lead: the configuration, the destinations, the log."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from models import AuditEntry, Destination
from tests.api.conftest import Caller, MakeCaller

CONFIG = "/api/alerts/config"
SLACK = "https://hooks.slack.com/services/T0SECRET/B0SECRET/xSECRETx"
HOOK = {"channel": "webhook", "address": "https://hooks.example.com/in/SECRET"}


def add(api: Caller, **data: Any) -> dict[str, Any]:
    reply = api.staff("POST", "/api/destinations", {**HOOK, **data})
    assert reply.status_code == 201, reply.text
    return reply.json  # type: ignore[no-any-return]


def fields(reply: Any) -> dict[str, list[str]]:
    assert reply.status_code == 422, reply.text
    return reply.json["error"]["fields"]  # type: ignore[no-any-return]


# The configuration


def test_the_configuration_is_whole_before_anybody_changed_it(api: Caller) -> None:
    said = api.staff("GET", CONFIG).json

    assert said["queue_profile"] == "core_points"
    assert said["hot_threshold"] is None and said["warm_threshold"] is None
    assert said["sql_requires_contact"] is True
    assert said["triggers"]["became_sql"] is True
    assert said["quiet_hours"] is None


def test_a_change_leaves_the_rest_and_is_audited(api: Caller) -> None:
    api.staff("POST", CONFIG, {"hot_threshold": 80, "triggers": {"deal_won": False}})
    said = api.staff("POST", CONFIG, {"enable_slack": False}).json

    assert said["hot_threshold"] == 80
    assert said["enable_slack"] is False
    assert said["triggers"]["deal_won"] is False and said["triggers"]["became_hot"] is True
    assert said == api.staff("GET", CONFIG).json
    with api.unit() as services:
        entries = services.session.scalars(
            select(AuditEntry).where(AuditEntry.action == "alerts.configured")
        ).all()
    assert [sorted(entry.detail) for entry in entries] == [
        ["hot_threshold", "triggers"],
        ["enable_slack"],
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"hot_threshold": "many"}, "hot_threshold"),
        ({"hot_threshold": 10, "warm_threshold": 20}, "hot_threshold"),
        ({"queue_profile": "astrology"}, "queue_profile"),
        ({"queue_profile": "ml_probability"}, "queue_profile"),
        ({"triggers": {"became_rich": True}}, "triggers"),
        ({"triggers": {"became_sql": "perhaps"}}, "triggers"),
        ({"quiet_hours": {"start": "25:00", "end": "07:00"}}, "quiet_hours"),
        ({"quiet_hours": {"start": "22:00", "end": "07:00", "tz": "Mars/One"}}, "quiet_hours"),
        ({"enable_slack": "yes"}, "enable_slack"),
    ],
)
def test_a_bad_setting_is_named_and_nothing_is_stored(
    api: Caller, body: dict[str, Any], field: str
) -> None:
    before = api.staff("GET", CONFIG).json

    assert field in fields(api.staff("POST", CONFIG, body))

    assert api.staff("GET", CONFIG).json == before


# Destinations


def test_a_webhook_shows_its_secret_once_and_its_address_never(api: Caller) -> None:
    added = add(api)
    again = api.staff("GET", f"/api/destinations/{added['id']}").json

    assert added["secret"].startswith("whsec_")
    assert "secret" not in again
    for said in (added, again):
        assert "SECRET" not in said["address"] and "hooks.example.com" in said["address"]


def test_a_repeated_request_gets_no_second_look_at_the_secret(api: Caller) -> None:
    key = {**api.key("alerts:write"), "Idempotency_Key": "once-and-for-all"}
    first = api.post("/api/destinations", HOOK, **key)
    second = api.post("/api/destinations", HOOK, **key)

    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.json["id"] == second.json["id"]
    assert "secret" in first.json and "secret" not in second.json


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"channel": "pigeon", "address": "roof"}, "channel"),
        ({"channel": "slack", "address": "ftp://hooks.slack.com/x"}, "address"),
        ({"channel": "slack", "address": "http://hooks.slack.com/x"}, "address"),
        ({"channel": "webhook", "address": "https://127.0.0.1/x"}, "address"),
        ({"channel": "webhook", "address": "https://user:pw@example.com/x"}, "address"),
        ({"channel": "teams", "address": "https://acme.webhook.office.com/x"}, "address"),
        ({"channel": "email", "address": "not an address"}, "address"),
        ({"channel": "other", "address": "json://example.com"}, "address"),
        ({**HOOK, "triggers": ["became_rich"]}, "triggers"),
        ({**HOOK, "quiet_hours": {"start": "x"}}, "quiet_hours"),
        ({**HOOK, "digest": "yearly"}, "digest"),
        ({"channel": "slack"}, "address"),
        ({"address": SLACK}, "channel"),
    ],
)
def test_a_place_that_cannot_be_is_refused_in_one_sentence(
    api: Caller, body: dict[str, Any], field: str
) -> None:
    found = fields(api.staff("POST", "/api/destinations", body))

    assert list(found) == [field]
    assert len(found[field]) == 1
    assert api.staff("GET", "/api/destinations").json == {"destinations": []}


def test_only_the_operator_sets_a_place_that_apprise_reaches(api: Caller) -> None:
    body = {"channel": "other", "address": "ntfy://a-long-topic"}

    reply = api.post("/api/destinations", body, **api.key("alerts:write"))

    assert reply.status_code == 403


def test_a_place_can_be_changed_and_taken_away(api: Caller) -> None:
    place = add(api)["id"]

    changed = api.staff("PATCH", f"/api/destinations/{place}", {"triggers": ["deal_won"]}).json
    gone = api.staff("DELETE", f"/api/destinations/{place}")

    assert changed["triggers"] == ["deal_won"]
    assert gone.json == {"id": place, "deleted": True}
    assert api.staff("GET", f"/api/destinations/{place}").status_code == 404
    with api.unit() as services:
        row = services.session.get_one(Destination, place)
        assert row.address == "" and row.secrets == []


def test_a_new_secret_signs_beside_the_old_one(api: Caller) -> None:
    place = add(api)

    changed = api.staff("PATCH", f"/api/destinations/{place['id']}", {"rotate_secret": True}).json

    assert changed["secret"] != place["secret"]
    with api.unit() as services:
        row = services.session.get_one(Destination, place["id"])
        assert [one["secret"] for one in row.secrets] == [changed["secret"], place["secret"]]
        assert row.secrets[1]["until"] is not None


def test_the_environments_places_are_there_and_keep_their_address(
    make_caller: MakeCaller, database_url: str
) -> None:
    api = make_caller(
        database_url,
        SLACK_WEBHOOK_URL=SLACK,
        SENDER_EMAIL="bot@example.com",
        SALES_TEAM_EMAILS=("asha@example.com", "bina@example.com"),
    )

    places = api.staff("GET", "/api/destinations").json["destinations"]

    assert sorted(place["channel"] for place in places) == ["email", "email", "slack"]
    assert all("SECRET" not in str(place) for place in places)
    slack = next(place["id"] for place in places if place["channel"] == "slack")
    body = {"address": "https://example.com/mine"}
    assert "address" in fields(api.staff("PATCH", f"/api/destinations/{slack}", body))
    assert api.staff("DELETE", f"/api/destinations/{slack}").status_code == 409
    off = api.staff("PATCH", f"/api/destinations/{slack}", {"enabled": False}).json
    assert off["enabled"] is False


def test_a_place_that_the_environment_drops_is_no_longer_listed(
    make_caller: MakeCaller, database_url: str
) -> None:
    make_caller(database_url, SLACK_WEBHOOK_URL=SLACK).staff("GET", "/api/destinations")

    later = make_caller(database_url)

    assert later.staff("GET", "/api/destinations").json == {"destinations": []}


def test_a_process_with_a_poorer_environment_takes_no_place_from_the_others(
    make_caller: MakeCaller, database_url: str
) -> None:
    server = make_caller(database_url, SLACK_WEBHOOK_URL=SLACK)
    server.staff("GET", "/api/destinations")

    make_caller(database_url).staff("GET", "/api/destinations")

    (place,) = server.staff("GET", "/api/destinations").json["destinations"]
    assert (place["id"], place["state"]) == ("env_slack", "working")


def test_a_mended_variable_switches_its_place_on_again(
    make_caller: MakeCaller, database_url: str
) -> None:
    before = make_caller(database_url, SLACK_WEBHOOK_URL=SLACK)
    before.staff("GET", "/api/destinations")
    with before.unit() as services:
        services.session.get_one(Destination, "env_slack").state = "stopped"

    same = make_caller(database_url, SLACK_WEBHOOK_URL=SLACK)
    assert same.staff("GET", "/api/destinations/env_slack").json["state"] == "stopped"
    mended = make_caller(database_url, SLACK_WEBHOOK_URL=SLACK + "2")

    assert mended.staff("GET", "/api/destinations/env_slack").json["state"] == "working"
    with mended.unit() as services:
        assert "hooks" not in services.session.get_one(Destination, "env_slack").address


# The log


def test_a_test_message_is_a_delivery_to_be_watched(api: Caller) -> None:
    place = add(api)["id"]

    reply = api.staff("POST", f"/api/destinations/{place}/test")

    assert reply.status_code == 202
    said = api.staff("GET", f"/api/deliveries/{reply.json['delivery_id']}").json
    assert (said["trigger"], said["status"], said["attempts"]) == ("test", "pending", 0)
    assert "SECRET" not in str(said)


def test_the_log_goes_page_by_page_and_by_filter(api: Caller) -> None:
    place, other = add(api)["id"], add(api)["id"]
    for _ in range(3):
        api.staff("POST", f"/api/destinations/{place}/test")
    api.staff("POST", f"/api/destinations/{other}/test")

    first = api.staff("GET", "/api/deliveries", limit=3).json
    rest = api.staff("GET", "/api/deliveries", limit=3, cursor=first["next_cursor"]).json

    ids = [one["id"] for one in (*first["deliveries"], *rest["deliveries"])]
    assert len(set(ids)) == 4 and rest["next_cursor"] is None
    theirs = api.staff("GET", "/api/deliveries", destination=other).json["deliveries"]
    assert [one["destination_id"] for one in theirs] == [other]
    assert api.staff("GET", "/api/deliveries", status="delivered").json["deliveries"] == []
    assert "status" in fields(api.staff("GET", "/api/deliveries", status="lost"))
    assert "cursor" in fields(api.staff("GET", "/api/deliveries", cursor="x"))
    assert "lead" in fields(api.staff("GET", "/api/deliveries", lead="me"))


def test_unknown_things_are_not_found(api: Caller) -> None:
    for method, path in (
        ("GET", "/api/destinations/dst_none"),
        ("POST", "/api/destinations/dst_none/test"),
        ("GET", "/api/deliveries/dlv_none"),
        ("POST", "/api/deliveries/dlv_none/resend"),
        ("GET", "/api/jobs/job_none"),
    ):
        assert api.staff(method, path).status_code == 404, path


def test_a_refresh_is_a_job_to_be_watched(api: Caller) -> None:
    reply = api.staff("POST", "/api/leads/refresh")

    assert reply.status_code == 202
    assert reply.headers["Location"] == f"/api/jobs/{reply.json['job_id']}"
    said = api.staff("GET", reply.headers["Location"]).json
    assert (said["kind"], said["status"], said["done"]) == ("leads.refresh", "queued", 0)
