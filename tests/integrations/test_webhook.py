"""Webhooks as their receivers see them: signed, the same at each attempt, small, and JSON."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import standardwebhooks

from integrations.channels.base import AddressRefused, Receipt
from integrations.channels.webhook import MOST_BYTES, Webhook, body_of
from integrations.errors import ConnectionRefused
from integrations.http import HttpDoor
from integrations.signing import new_secret
from lib.clock import SettableClock
from tests.integrations.alerts import ALERT, digest, through_node
from tests.integrations.cases import NOW, Case, load
from tests.integrations.conftest import Answering, Heard
from tests.integrations.hostile import HOSTILE

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAYLOAD = {"lead_id": "7", "name": "Jane Doe", "lead_score": 82, "features_interested": ["Billing"]}
LEAD = replace(ALERT, payload=PAYLOAD)


def webhook(clock: SettableClock | None = None) -> Webhook:
    door = HttpDoor(allowed_networks=("127.0.0.0/8",), deadline=30)
    return Webhook(door, clock or SettableClock(NOW))


def believed(heard: Heard, secret: str = SECRET) -> Any:
    """What a receiver reads that believes only what is signed."""
    return standardwebhooks.Webhook(secret).verify(heard.body, dict(heard.headers))


@pytest.mark.parametrize("case", load("webhook"))
def test_answers_mean_what_they_say(case: Case, answering: Answering) -> None:
    answering.says(case.status, case.headers, case.raw)
    receipts: list[Receipt] = []

    error = case.holds_for(
        lambda: receipts.append(webhook().send(LEAD, answering.url, secrets=(SECRET,)))
    )

    told = error or receipts[0]
    assert (told.status, told.reply) == (case.status, case.raw.decode())
    assert error is None or error.reason.startswith("127.0.0.1 ")


def test_a_receiver_believes_the_message_and_reads_the_lead(answering: Answering) -> None:
    clock = SettableClock(datetime.now(UTC))

    webhook(clock).send(LEAD, answering.url, secrets=(SECRET,))

    assert believed(answering.last) == {
        "type": "lead.became_sql",
        "timestamp": "2026-11-21T09:30:00.000Z",
        "data": {
            **PAYLOAD,
            "id": "dlv_0192ab",
            "trigger": "became_sql",
            "title": "New SQL lead",
            "occurred_at": "2026-11-21T09:30:00.000Z",
            "lead_id": "7",
            "url": "https://crm.example.com/leads/7",
        },
    }
    headers = answering.last.headers
    assert headers["webhook-id"] == headers["idempotency-key"] == "dlv_0192ab"
    assert headers["webhook-timestamp"] == str(int(clock.now().timestamp()))
    assert headers["content-type"] == "application/json"


def test_a_repeat_is_the_same_message_signed_anew(answering: Answering) -> None:
    clock = SettableClock(NOW)
    channel = webhook(clock)
    channel.send(LEAD, answering.url, secrets=(SECRET,))
    clock.advance(3600)

    channel.send(LEAD, answering.url, secrets=(SECRET,))

    first, second = answering.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert second.headers["webhook-timestamp"] == str(int(NOW.timestamp()) + 3600)
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert channel.idempotent


def test_while_the_secret_is_changed_receivers_with_either_believe(answering: Answering) -> None:
    old, new = new_secret(), new_secret()

    webhook(SettableClock(datetime.now(UTC))).send(LEAD, answering.url, secrets=(new, old))

    for secret in (old, new):
        assert believed(answering.last, secret)["type"] == "lead.became_sql"
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        believed(answering.last, new_secret())


@pytest.mark.parametrize("secrets", [(), ("",), ("nonsense",), (SECRET, "nonsense")])
def test_nothing_leaves_unsigned(secrets: tuple[str, ...], answering: Answering) -> None:
    with pytest.raises(ConnectionRefused, match="no usable secret") as caught:
        webhook().send(LEAD, answering.url, secrets=secrets)

    assert answering.requests == []
    assert "nonsense" not in caught.value.reason


# What stands in it


@pytest.mark.parametrize("count", [1, 3, 400])
def test_a_digest_tells_its_leads_and_how_many_it_left_out(count: int) -> None:
    data = json.loads(body_of(digest(count)))["data"]

    assert (data["id"], data["trigger"], data["lead_id"]) == ("dlv_d", "digest", None)
    assert [item["lead_id"] for item in data["items"]] == [
        str(number) for number in range(len(data["items"]))
    ]
    assert len(data["items"]) + data["left_out"] == count
    assert count > 3 or data["left_out"] == 0


def test_values_that_are_no_json_become_such() -> None:
    payload = {
        "nan": float("nan"),
        "infinity": float("inf"),
        "many": Decimal("12.50"),
        "day": NOW.date(),
        "pair": (1, True),
        "none": None,
        "bytes": b"x",
        "nested": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {}}}}}}}},
        7: "seven",
    }

    data = json.loads(body_of(replace(ALERT, payload=payload)))["data"]

    assert (data["nan"], data["infinity"], data["none"]) == (None, None, None)
    assert (data["many"], data["day"], data["7"]) == ("12.50", "2026-11-21", "seven")
    assert data["pair"] == [1, True]


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_visitor_typed_the_message_is_small_strict_json(name: str) -> None:
    text = HOSTILE[name]
    payload = {
        "name": text,
        "custom": {text: text, "list": [text] * 40, **{f"k{n}": text for n in range(40)}},
    }
    one = replace(ALERT, payload=payload)

    for alert in (one, replace(digest(3), items=(one,) * 12)):
        body = body_of(alert)
        said = json.loads(body)

        assert len(body) <= MOST_BYTES
        assert b"\\u0000" not in body
        body.decode("utf-8")
        assert said["data"]["id"] == alert.id


def test_of_a_payload_that_never_fits_what_a_program_needs_is_left() -> None:
    payload: Any = "x" * 40
    for _ in range(6):
        payload = [payload] * 5

    body = body_of(replace(ALERT, payload={"tree": payload}))

    data = json.loads(body)["data"]
    assert len(body) <= MOST_BYTES
    assert (data["id"], data["lead_id"], "tree" in data) == ("dlv_0192ab", "7", False)


def test_a_text_that_fits_is_kept_as_it_was_typed() -> None:
    text = "مرحبا 👨‍👩‍👧 <b>&amp;</b> \u202e \r\n\t\"'"

    assert json.loads(body_of(replace(ALERT, payload={"name": text})))["data"]["name"] == text


def test_the_node_library_believes_what_was_delivered(answering: Answering) -> None:
    channel = webhook(SettableClock(datetime.now(UTC)))
    alerts = [replace(LEAD, payload={"name": text}) for text in HOSTILE.values()]
    for alert in [LEAD, digest(3), *alerts]:
        channel.send(alert, answering.url, secrets=(SECRET,))

    said = through_node(
        "standard_webhooks.mjs",
        [
            {
                "secret": SECRET,
                "headers": dict(heard.headers),
                "body": base64.b64encode(heard.body).decode(),
            }
            for heard in answering.requests
        ],
    )

    assert said == [""] * (len(HOSTILE) + 2)


# Addresses


def test_an_address_is_checked_by_the_door() -> None:
    channel = Webhook(HttpDoor(resolve=lambda host: ["8.8.8.8"]), SettableClock(NOW))

    assert channel.check("HTTPS://Hooks.Example.com") == "https://hooks.example.com/"
    with pytest.raises(AddressRefused):
        channel.check("https://127.0.0.1/")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://hooks.example.com/secret?token=secret", "https://hooks.example.com/…"),
        ("https://me:secret@hooks.example.com:8443/", "https://hooks.example.com/…"),
        ("secret", "…"),
        ("https://[secret", "…"),
        ("", "…"),
    ],
)
def test_only_the_host_of_an_address_is_shown(address: str, shown: str) -> None:
    assert webhook().mask(address) == shown
