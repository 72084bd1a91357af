"""Slack: messages as its own models take them, texts that stay texts, and what its answers mean."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models import JsonObject
from slack_sdk.models.blocks import Block

from integrations.channels import wording
from integrations.channels.base import Alert
from integrations.channels.slack import Slack, message
from integrations.http import HttpDoor
from lib.clock import SettableClock
from tests.integrations import cases
from tests.integrations.alerts import ALERT, assert_golden, digest, hostile
from tests.integrations.conftest import Answering
from tests.integrations.hostile import HOSTILE

SLACK = Slack(HttpDoor(allowed_networks=("127.0.0.0/8",)), SettableClock(cases.NOW))
MANY = replace(ALERT, details=tuple((f"Answer {n}", "x" * 5000) for n in range(60)))


def validated(part: JsonObject) -> int:
    """How many parts Slack's own models found in order, this one included."""
    part.validate_json()
    inner = [each for value in vars(part).values() for each in _listed(value)]
    return 1 + sum(validated(each) for each in inner if isinstance(each, JsonObject))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def texts(part: Any) -> list[dict[str, Any]]:
    """Every text object of a message."""
    if isinstance(part, list):
        return [found for each in part for found in texts(each)]
    if not isinstance(part, dict):
        return []
    own = [part] if part.get("type") in ("plain_text", "mrkdwn") else []
    return own + [found for each in part.values() for found in texts(each)]


def assert_taken(sent: dict[str, Any]) -> None:
    """Assert what Slack's models check, and what they are known to let through."""
    for block in sent["blocks"]:
        parsed = Block.parse(block)
        assert parsed is not None
        assert validated(parsed) > 1 or block["type"] in ("header", "section")
    assert 1 <= len(sent["blocks"]) <= 50
    assert 1 <= wording.units(sent["text"]) <= 40_000
    for block in sent["blocks"]:
        assert len(block.get("fields", [])) <= 10
        assert all(wording.units(each["text"]) <= 2_000 for each in block.get("fields", []))
    for text in texts(sent["blocks"]):
        assert text["type"] == "plain_text" and text["emoji"] is False
        assert 1 <= wording.units(text["text"]) <= 3_000
    assert wording.units(sent["blocks"][0]["text"]["text"]) <= 150
    assert len(json.dumps(sent).encode("utf-8", "strict")) < 200_000


def assert_only_text(sent: dict[str, Any]) -> None:
    """Assert that nothing in it can begin a mention or a link."""
    said = [text["text"] for text in texts(sent["blocks"])] + [sent["text"]]
    for text in said:
        assert "<" not in text and ">" not in text
        assert html.escape(html.unescape(text), quote=False) == text
    assert sent["mrkdwn"] is sent["unfurl_links"] is sent["unfurl_media"] is False
    fallback = sent["text"].rsplit("\nhttps://crm.example.com/", 1)[0]
    assert not any(sign in fallback for sign in ("://", "](", "@channel", "@here", "@everyone"))


def test_an_alert_says_who_why_whence_and_where() -> None:
    blocks = message(ALERT)["blocks"]

    assert_taken(message(ALERT))
    assert [block["type"] for block in blocks] == [
        "header",
        "section",
        "section",
        "section",
        "actions",
        "context",
    ]
    assert blocks[0]["text"]["text"] == "New SQL lead: Jane Doe, Acme GmbH"
    assert [field["text"] for field in blocks[1]["fields"]] == [
        "Score\n82 points, SQL, hot",
        "E-mail\njane@acme.example",
        "Phone\n+49 30 901820",
        "Source\ngoogle_ads / cpc / spring",
    ]
    assert blocks[2]["text"]["text"].split("\n")[:2] == ["Why", "Asked for a demo +15"]
    assert "50 seats" in blocks[3]["text"]["text"]
    assert blocks[4]["elements"][0]["url"] == ALERT.url
    assert "dlv_0192ab" in blocks[5]["elements"][0]["text"]


def test_a_service_without_blocks_still_hears_the_essentials() -> None:
    text = message(ALERT)["text"]

    assert text.split("\n") == [
        "New SQL lead: Jane Doe, Acme GmbH",
        "82 points, SQL, hot",
        "https://crm.example.com/leads/7",
    ]


def test_a_digest_has_a_button_for_each_lead_and_says_how_many_found_no_room() -> None:
    sent = message(digest(23))

    assert_taken(sent)
    buttons = [block["accessory"]["url"] for block in sent["blocks"] if "accessory" in block]
    assert len(set(buttons)) == len(buttons) == 20
    assert sent["blocks"][-2]["text"]["text"] == "… and 3 more"
    assert sent["blocks"][0]["text"]["text"] == "23 leads while you were away"


@pytest.mark.parametrize(
    "alert",
    [MANY, digest(1), digest(200), Alert("", "", "", cases.NOW), replace(ALERT, url=None)],
    ids=["many details", "digest of one", "digest of many", "nothing known", "no link"],
)
def test_no_alert_is_too_much_or_too_little(alert: Alert) -> None:
    assert_taken(message(alert))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_stays_a_text(name: str) -> None:
    for alert in (hostile(HOSTILE[name]), digest(3, HOSTILE[name])):
        assert_taken(message(alert))
        assert_only_text(message(alert))


def test_hostile_texts_look_as_they_did() -> None:
    found = {}
    for name, text in HOSTILE.items():
        sent = message(hostile(text))
        said = [each["text"] for each in texts(sent["blocks"])]
        found[name] = {"fallback": sent["text"], "header": said[0], "texts": said[1:-2]}

    assert_golden("slack", found)


@given(st.text())
def test_any_text_stays_a_text(text: str) -> None:
    assert_taken(message(hostile(text)))
    assert_only_text(message(hostile(text)))


@pytest.mark.parametrize("case", cases.load("slack"))
def test_an_answer_means_what_slack_means(case: cases.Case, answering: Answering) -> None:
    answering.says(case.status, case.headers, case.raw)

    error = case.holds_for(lambda: SLACK.send(ALERT, answering.url))

    assert answering.last.json() == message(ALERT)
    assert answering.last.headers["content-type"] == "application/json"
    assert error is None or "secret-path" not in f"{error.reason}{error}"


def test_an_address_is_shown_by_what_alone_opens_nothing() -> None:
    shown = SLACK.mask("https://hooks.slack.com/services/T024BE7LH/B0ABC1XYZ/s3cr3tS3cr3t")

    assert shown == "https://hooks.slack.com/…1XYZ/…"
    assert SLACK.mask("https://chat.example.com/hooks/s3cr3t") == "https://chat.example.com/…"
    assert SLACK.mask("https://me:pw@chat.example.com:99/s") == "https://chat.example.com/…"
