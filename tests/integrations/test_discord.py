"""Discord: messages by its published schema, texts read back as typed, and what answers mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.channels import wording
from integrations.channels.base import Alert
from integrations.channels.discord import Discord, message
from integrations.http import HttpDoor
from lib.clock import SettableClock
from tests.integrations import cases
from tests.integrations.alerts import ALERT, assert_golden, digest, hostile, through_node
from tests.integrations.conftest import Answering
from tests.integrations.hostile import HOSTILE

DISCORD = Discord(HttpDoor(allowed_networks=("127.0.0.0/8",)), SettableClock(cases.NOW))
MANY = replace(ALERT, details=tuple((f"Answer {n}", "*" * 5000) for n in range(60)))
SIGNS = replace(ALERT, details=tuple(("#" * 90, "*" * 140) for n in range(60)))


def counted(message: dict[str, Any]) -> int:
    """All characters that Discord adds up over a message."""
    parts = []
    for embed in message["embeds"]:
        parts += [embed["title"], embed.get("description", ""), embed["author"]["name"]]
        parts.append(embed.get("footer", {}).get("text", ""))
        parts += [field[key] for field in embed.get("fields", []) for key in ("name", "value")]
    return sum(map(wording.units, parts))


def assert_within_limits(sent: dict[str, Any]) -> None:
    """Assert what Discord's schema does not know, or leaves to its servers."""
    assert sent["allowed_mentions"] == {"parse": []}
    # The name that the webhook was given in Discord stays.
    assert "username" not in sent and "avatar_url" not in sent
    assert 1 <= wording.units(sent["content"]) <= 2_000
    assert counted(sent) <= 6_000
    assert 1 <= len(sent["embeds"]) <= 10
    links = [embed["url"] for embed in sent["embeds"] if "url" in embed]
    assert len(links) == len(set(links))
    for embed in sent["embeds"]:
        assert embed["title"].strip() and embed["author"]["name"].strip()
        assert len(embed.get("fields", [])) <= 25
        for field in embed.get("fields", []):
            assert field["name"].strip() and field["value"].strip()


def test_an_alert_says_who_why_whence_and_where() -> None:
    sent = message(ALERT)
    embed = sent["embeds"][0]

    assert sent["content"] == "New SQL lead: Jane Doe, Acme GmbH – 82 points, SQL, hot"
    assert embed["author"]["name"] == "Jane Doe, Acme GmbH"
    assert embed["url"] == ALERT.url
    assert embed["footer"]["text"] == ALERT.id
    fields = {field["name"]: field["value"] for field in embed["fields"]}
    assert fields == {
        "Score": "82 points, SQL, hot",
        "Why": "Asked for a demo +15\nShared a contact +10\nLong since seen −7.5",
        "E-mail": "jane\\@acme.example",
        "Phone": "\\+49 30 901820",
        "Source": "google\\_ads / cpc / spring",
        "Message": "We need 50 seats.\nBefore Christmas, please.",
    }


def test_a_digest_shows_each_lead_and_says_how_many_found_no_room() -> None:
    sent = message(digest(23))

    assert_within_limits(sent)
    assert len(sent["embeds"]) == 10
    assert sent["content"] == "23 leads while you were away – … and 13 more"


def test_two_alerts_about_one_lead_are_both_shown() -> None:
    twice = replace(digest(2), items=(ALERT, replace(ALERT, title="Demo requested")))

    embeds = message(twice)["embeds"]

    assert [embed.get("url") for embed in embeds] == [ALERT.url, None]
    assert_within_limits(message(twice))


def test_discord_takes_every_message_and_reads_every_text_as_it_was_typed() -> None:
    """Through the schema that Discord publishes, and a reader of its Markdown."""
    bare = Alert("", "", "", cases.NOW)
    alerts = [ALERT, MANY, SIGNS, bare, replace(ALERT, url="http://localhost:5000/leads/7")]
    alerts += [digest(1), digest(200)]
    alerts += [hostile(text) for text in HOSTILE.values()]
    alerts += [digest(2, text) for text in HOSTILE.values()]

    looks = through_node("discord_reading.mjs", [message(alert) for alert in alerts])

    assert [look["faults"] for look in looks] == [[]] * len(alerts)
    kinds = {kind for look in looks for read in look["read"].values() for kind in read["kinds"]}
    assert kinds == {"text", "br", "twemoji"}
    for alert, look in zip(alerts, looks, strict=True):
        content = look["read"]["content"]["shown"].removesuffix("…")
        rows = (wording.headline(alert), wording.standing(alert))
        said = " – ".join(row for row in rows if row)
        assert said.startswith(content.rstrip()) or content.startswith(said)


def test_the_reader_tells_a_link_from_a_text() -> None:
    """Else the test above would prove nothing."""
    plain = {"content": "https://evil.example *b* <@80351110224678912>\n# x", "contents": ""}

    [look] = through_node("discord_reading.mjs", [plain])

    assert look["faults"] == ["something in it is unknown to Discord"]
    assert {"url", "em", "user"} <= set(look["read"]["content"]["kinds"])


@pytest.mark.parametrize(
    "alert",
    [MANY, SIGNS, digest(1), digest(200), Alert("", "", "", cases.NOW), replace(ALERT, url=None)],
    ids=["long", "signs", "digest of one", "digest of many", "nothing known", "no link"],
)
def test_no_alert_is_too_much_or_too_little(alert: Alert) -> None:
    assert_within_limits(message(alert))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_stays_within_limits(name: str) -> None:
    assert_within_limits(message(hostile(HOSTILE[name])))
    assert_within_limits(message(digest(12, HOSTILE[name])))


def test_hostile_texts_look_as_they_did() -> None:
    found = {}
    for name, text in HOSTILE.items():
        sent = message(hostile(text))
        embed = sent["embeds"][0]
        fields = {field["name"]: field["value"] for field in embed["fields"]}
        found[name] = {"content": sent["content"], "author": embed["author"], "fields": fields}

    assert_golden("discord", found)


@given(st.text())
def test_any_text_stays_within_limits(text: str) -> None:
    assert_within_limits(message(hostile(text)))


@pytest.mark.parametrize("case", cases.load("discord"))
def test_an_answer_means_what_discord_means(case: cases.Case, answering: Answering) -> None:
    answering.says(case.status, case.headers, case.raw)

    error = case.holds_for(lambda: DISCORD.send(ALERT, answering.url))

    assert answering.last.json() == message(ALERT)
    assert error is None or "secret-path" not in f"{error.reason}{error}"


def test_the_log_keeps_the_number_of_the_message_and_none_of_its_words(
    answering: Answering,
) -> None:
    answering.says(200, {}, '{"id": "1234567890", "content": "Jane Doe"}')

    receipt = DISCORD.send(ALERT, answering.url)

    assert (receipt.status, receipt.reply) == (200, "message 1234567890")


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("", "wait=true"),
        ("?thread_id=42", "thread_id=42&wait=true"),
        ("?wait=false&thread_id=42&with_components=", "thread_id=42&with_components=&wait=true"),
    ],
)
def test_discord_is_asked_whether_it_kept_the_message(
    query: str, asked: str, answering: Answering
) -> None:
    DISCORD.send(ALERT, answering.url + query)

    assert answering.last.path.endswith("/secret-path?" + asked)


def test_an_address_is_shown_by_what_alone_opens_nothing() -> None:
    hook = "https://discord.com/api/v10/webhooks/123456789012345678/s3cr3t"

    assert DISCORD.mask(hook) == "https://discord.com/…5678/…"
    assert DISCORD.mask(hook + "?thread_id=42") == "https://discord.com/…5678/…"
    assert DISCORD.mask("https://chat.example.com/hooks/s3cr3t") == "https://chat.example.com/…"
