"""Discord: webhooks of a channel.

https://docs.discord.com/developers/resources/webhook#execute-webhook

A visitor's words stand where Discord reads no Markdown (the author's line, the footer), or with a
backslash before every sign that could begin something: an emphasis, a link, a mention, a date. With
`https\\://` Discord shows an address and makes no link of it. The sender's name and picture
stay those that the webhook was given in Discord, so its rules for names are never ours to break.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from integrations.channels import wording
from integrations.channels.base import Alert, Receipt
from integrations.channels.chat import ChatWebhook, as_json, said
from integrations.channels.wording import fit, units
from integrations.errors import ConnectionRefused, TryLater
from integrations.http import HttpReply
from lib.clock import iso

LONGEST_CONTENT = 2_000
LONGEST_NAME = 256
LONGEST_VALUE = 1_024
LONGEST_DESCRIPTION = 2_000
MOST_FIELDS = 25
MOST_EMBEDS = 10
# Over all embeds of a message; Discord's own schema does not know it.
LONGEST_SUM = 6_000
SHORTEST = 30

# Discord takes a backslash before any of ASCII's signs, and shows only the sign: before those that
# begin something anywhere, in front of a line (lists), and inside an invitation (discord.gg/…).
SIGNS = re.compile(
    r"([\\`*_~|<>\[\]()#@]|:(?=\S)|^[-+]|(?<=\S)/(?=\S)|(?<=^\d)\.|(?<=^\d\d)\.)", re.MULTILINE
)
COLORS = {"SQL": 0x2ECC71, "MQL": 0xF1C40F}
NEUTRAL = 0x95A5A6

# The webhook belongs to a forum, which takes no message without a thread.
NEEDS_THREAD = frozenset({220001, 220002, 220003})
BLOCKED_FOR = timedelta(minutes=10)


class Discord(ChatWebhook):
    """Messages for a Discord channel."""

    name = "discord"
    # Every message shows it anyway.
    number = re.compile(r"https://[\w.]*discord(?:app)?\.com/api(?:/v\d+)?/webhooks/(\d+)/.*")

    def target(self, address: str) -> str:
        """The address with `wait`: without it Discord says yes even to what it does not keep."""
        parts = urlsplit(address)
        query = [
            each for each in parse_qsl(parts.query, keep_blank_values=True) if each[0] != "wait"
        ]
        return urlunsplit(parts._replace(query=urlencode([*query, ("wait", "true")])))

    def body(self, alert: Alert) -> bytes:
        """The alert as embeds, with a line above for notifications."""
        return as_json(message(alert))

    def judge(self, reply: HttpReply, now: datetime) -> None:
        """Nothing if the message was taken; else what Discord's answer means."""
        told: dict[str, Any] = {"status": reply.status, "reply": reply.text}
        if reply.status == 400 and said(reply).get("code") in NEEDS_THREAD:
            reason = "This webhook is a forum's; add ?thread_id= and the number of a thread to it."
            raise ConnectionRefused(reason, **told)
        if reply.status == 403 and not said(reply):
            # Not Discord but the guard before it, which blocks an address for a while.
            reason = "Discord's network blocks this server for a while."
            raise TryLater(reason, after=BLOCKED_FOR, pause=True, **told)
        super().judge(reply, now)

    def receipt(self, reply: HttpReply) -> Receipt:
        """The message's number alone: the answer repeats the visitor's words."""
        number = said(reply).get("id")
        return Receipt(reply.status, f"message {number}" if number else "")


def message(alert: Alert) -> dict[str, Any]:
    """The alert as Discord takes it."""
    rows = [wording.headline(alert), wording.standing(alert)]
    if alert.items:
        rows.append(wording.more(len(alert.items) - MOST_EMBEDS))
    content = " – ".join(row for row in rows if row)
    return {
        "content": fit(content, LONGEST_CONTENT, _escape),
        "allowed_mentions": {"parse": []},
        "embeds": _digest(alert) if alert.items else [_embed(alert, LONGEST_SUM)],
    }


def _escape(text: str) -> str:
    return SIGNS.sub(r"\\\1", text)


def _embed(alert: Alert, room: int) -> dict[str, Any]:
    """One lead in at most `room` characters: whose, what, the lines, and the small print."""
    embed: dict[str, Any] = {
        "author": {"name": fit(wording.who(alert), LONGEST_NAME)},
        "title": fit(wording.plain(alert.title) or "Alert", LONGEST_NAME, _escape),
        "color": COLORS.get(alert.classification or "", NEUTRAL),
        "timestamp": iso(alert.occurred_at),
        "footer": {"text": fit(wording.plain(alert.id) or "–", LONGEST_NAME)},
    }
    if url := wording.link(alert):
        embed["url"] = url
    room -= sum(map(units, (embed["author"]["name"], embed["title"], embed["footer"]["text"])))
    embed["fields"] = _fields(alert, room)
    return embed


def _fields(alert: Alert, room: int) -> list[dict[str, Any]]:
    """The lines, as many as have room; Discord refuses a field that is empty."""
    fields: list[dict[str, Any]] = []
    for line in wording.lines(alert)[:MOST_FIELDS]:
        name = fit(line.label, min(LONGEST_NAME, room), _escape)
        room -= units(name)
        if room < SHORTEST:
            break
        value = fit(line.text, min(LONGEST_VALUE, room), _escape)
        room -= units(value)
        is_short = len(line.text) <= 40 and "\n" not in line.text
        fields.append({"name": name, "value": value, "inline": is_short})
    return fields


def _digest(alert: Alert) -> list[dict[str, Any]]:
    """An embed for each alert; of two with one address Discord would show one."""
    embeds: list[dict[str, Any]] = []
    seen: set[str] = set()
    for item in alert.items[:MOST_EMBEDS]:
        embed = _summary(item)
        if embed.get("url") in seen:
            del embed["url"]
        seen.add(embed.get("url", ""))
        embeds.append(embed)
    return embeds


def _summary(alert: Alert) -> dict[str, Any]:
    """One lead of a digest, in its share of the sum."""
    rows = [wording.standing(alert), *wording.reasons(alert)]
    text = "\n".join(row for row in rows if row)
    embed: dict[str, Any] = {
        "author": {"name": fit(wording.who(alert), 120)},
        "title": fit(wording.plain(alert.title) or "Alert", 120, _escape),
        "color": COLORS.get(alert.classification or "", NEUTRAL),
    }
    if text:
        embed["description"] = fit(text, LONGEST_SUM // MOST_EMBEDS - 240, _escape)
    if url := wording.link(alert):
        embed["url"] = url
    return embed
