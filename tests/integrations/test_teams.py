"""Teams: cards by Microsoft's schema and renderer, texts that stay texts, and what answers mean."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft6Validator

from integrations.channels import wording
from integrations.channels.base import AddressRefused, Alert
from integrations.channels.teams import Teams, message
from integrations.errors import ConnectionRefused
from integrations.http import HttpDoor
from lib.clock import SettableClock
from tests.integrations import cases
from tests.integrations.alerts import ALERT, assert_golden, digest, hostile, through_node
from tests.integrations.conftest import Answering
from tests.integrations.hostile import HOSTILE
from tests.shared_data import shared_file

TEAMS = Teams(HttpDoor(allowed_networks=("127.0.0.0/8",)), SettableClock(cases.NOW))
MANY = replace(ALERT, details=tuple((f"Answer {n}", '"😀' * 5000) for n in range(60)))
ALERTS = {
    "one": ALERT,
    "many details": MANY,
    "nothing known": Alert("", "", "", cases.NOW),
    "no link": replace(ALERT, url=None),
    "digest of one": digest(1),
    "digest of many": digest(200),
    **{name: hostile(text) for name, text in HOSTILE.items()},
    **{f"digest: {name}": digest(3, text) for name, text in HOSTILE.items()},
}


@pytest.fixture(scope="module")
def schema() -> Draft6Validator:
    """Microsoft's schema of Adaptive Cards."""
    rules = json.loads(shared_file("adaptive-card-1.5.json").read_text("utf-8"))
    # By its id every reference within would be looked up in the network.
    del rules["id"]
    return Draft6Validator(rules)


def card_of(alert: Alert) -> dict[str, Any]:
    """The card that is sent for an alert."""
    card: dict[str, Any] = json.loads(TEAMS.body(alert))["attachments"][0]["content"]
    return card


def parts(node: Any) -> list[dict[str, Any]]:
    """Every object of a card."""
    if isinstance(node, list):
        return [found for each in node for found in parts(each)]
    if not isinstance(node, dict):
        return []
    return [node, *(found for each in node.values() for found in parts(each))]


def assert_only_text(alert: Alert) -> None:
    """Assert that it is small enough, and that no text stands where Markdown is read."""
    body = TEAMS.body(alert)
    assert len(body) < 24_000
    for part in parts(json.loads(body)):
        assert part.get("type") not in ("TextBlock", "FactSet")
        if part.get("type") == "TextRun":
            assert part["text"] and "{{" not in part["text"] and "\n" not in part["text"]


def test_an_alert_says_who_why_whence_and_where() -> None:
    sent = message(ALERT)
    card = sent["attachments"][0]["content"]
    rows = [
        "".join(run["text"] for run in block["inlines"])
        for block in card["body"]
        if block["type"] == "RichTextBlock"
    ]

    assert sent["type"] == "message"
    assert sent["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["version"] == "1.4"
    assert rows == [
        "New SQL lead: Jane Doe, Acme GmbH",
        "Score: 82 points, SQL, hot",
        "Why: Asked for a demo +15",
        "Shared a contact +10",
        "Long since seen −7.5",
        "E-mail: jane@acme.example",
        "Phone: +49 30 901820",
        "Source: google_ads / cpc / spring",
        "Message: We need 50 seats.",
        "Before Christmas, please.",
        "dlv_0192ab · 2026-11-21T09:30Z",
    ]
    assert card["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open lead", "url": "https://crm.example.com/leads/7"}
    ]


def test_a_digest_opens_each_lead_and_says_how_many_found_no_room() -> None:
    runs = [part for part in parts(card_of(digest(23))) if part.get("type") == "TextRun"]

    assert len([run for run in runs if "selectAction" in run]) == 15
    assert "… and 8 more" in [run["text"] for run in runs]


@pytest.mark.parametrize("name", ALERTS)
def test_a_card_obeys_the_schema_and_holds_only_text(name: str, schema: Draft6Validator) -> None:
    card = card_of(ALERTS[name])

    # Teams' own addition, which the schema of all cards does not know.
    assert card.pop("msteams") == {"width": "Full"}
    assert [fault.message for fault in schema.iter_errors(card)] == []
    assert_only_text(ALERTS[name])


def test_microsofts_renderer_draws_every_card_and_finds_no_link_in_a_text() -> None:
    drawn = through_node("adaptive_cards.mjs", [card_of(alert) for alert in ALERTS.values()])

    for alert, found in zip(ALERTS.values(), drawn, strict=True):
        assert found["events"] == []
        assert found["bold"] == 0
        assert all(link.startswith("https://crm.example.com/leads/") for link in found["links"])
        # A card that the renderer does not know is drawn as nothing, without an event.
        about = alert.items[0] if alert.items else alert
        name = wording.who(about)[:40].rstrip("…").replace("{{", "{\u200b{")
        assert name in found["text"]
        # A date within a text is what a function of cards makes of {{DATE(…)}}.
        assert "November" not in found["text"]


def test_the_renderer_tells_a_link_from_a_text(schema: Draft6Validator) -> None:
    """Else the tests above would prove nothing."""
    block = {"type": "TextBlock", "text": "[a](https://evil.example) **b**"}
    odd = {"type": "TextBlok", "text": "x"}
    card = {"type": "AdaptiveCard", "version": "1.4", "body": [block, odd]}

    [found] = through_node("adaptive_cards.mjs", [card])

    assert found["events"]
    assert (found["links"], found["bold"]) == (["https://evil.example"], 1)
    assert list(schema.iter_errors(card))


def test_hostile_texts_look_as_they_did() -> None:
    found = {}
    for name, text in HOSTILE.items():
        card = card_of(hostile(text))
        rows = [block["inlines"][-1]["text"] for block in card["body"]]
        found[name] = {"headline": rows[0], "rows": rows[1:-1]}

    assert_golden("teams", found)


@pytest.mark.parametrize("name", ["quotes only", "marks only", "emoji families"])
def test_a_long_digest_of_long_texts_is_still_small_enough(name: str) -> None:
    assert_only_text(digest(50, HOSTILE[name]))


@given(st.text())
def test_any_text_stays_a_text(text: str) -> None:
    assert_only_text(hostile(text))
    assert_only_text(digest(2, text))


@pytest.mark.parametrize("case", cases.load("teams"))
def test_an_answer_means_what_teams_means(case: cases.Case, answering: Answering) -> None:
    answering.says(case.status, case.headers, case.raw)

    error = case.holds_for(lambda: TEAMS.send(ALERT, answering.url))

    assert answering.last.json() == message(ALERT)
    # A workflow that is open to anyone refuses a request that names somebody.
    assert "authorization" not in answering.last.headers
    assert error is None or "secret-path" not in f"{error.reason}{error}"


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("DirectApiAuthorizationRequired", "let Anyone trigger it"),
        ("WorkflowTriggerIsNotEnabled", "switch it on"),
        ("WorkflowNotFound", "make a new webhook"),
    ],
)
def test_the_owner_reads_what_to_do_about_a_workflow(
    code: str, advice: str, answering: Answering
) -> None:
    answering.says(401, {}, json.dumps({"error": {"code": code}}))

    with pytest.raises(ConnectionRefused, match=advice):
        TEAMS.send(ALERT, answering.url)


def test_a_yes_is_logged_as_queued_not_as_posted(answering: Answering) -> None:
    answering.says(202)

    receipt = TEAMS.send(ALERT, answering.url)

    assert receipt.status == 202
    assert receipt.note.startswith("Queued")


@pytest.mark.parametrize(
    "address",
    [
        "https://acme.webhook.office.com/webhookb2/abc@def/IncomingWebhook/x/y",
        "https://ACME.Webhook.Office.com/webhookb2/abc",
        "https://outlook.office.com/webhook/abc",
        "https://outlook.office365.com/webhook/abc",
    ],
)
def test_a_connector_of_old_is_refused_with_what_to_do_instead(address: str) -> None:
    with pytest.raises(AddressRefused, match="in Teams choose Workflows"):
        TEAMS.check(address)


def test_nothing_of_an_address_is_shown_but_its_host() -> None:
    address = (
        "https://prod-1.westeurope.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke"
        "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=s3cr3t"
    )

    assert TEAMS.mask(address) == "https://prod-1.westeurope.logic.azure.com/…"
