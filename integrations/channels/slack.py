"""Slack, and what takes the same messages: incoming webhooks.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

All that a visitor typed stands in `plain_text`, where Slack knows no emphasis, link or mention; its
three control characters are escaped all the same, as Slack asks for every text.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from integrations.channels import wording
from integrations.channels.base import Alert
from integrations.channels.chat import ChatWebhook, as_json, said
from integrations.channels.wording import Line, fit
from integrations.errors import ConnectionRefused, ItemRefused, TryLater
from integrations.http import HttpReply, retry_after

LONGEST_HEADER = 150
LONGEST_SECTION = 3_000
LONGEST_FALLBACK = 3_000
MOST_FIELDS = 10
MOST_SECTIONS = 20
LONGEST_FIELD = 200

# Slack says what is wrong by a word; the same word comes with different status codes.
GONE = frozenset(
    "action_prohibited channel_is_archived channel_not_found invalid_token no_active_hooks"
    " no_service no_service_id no_team posting_to_general_channel_denied team_disabled".split()
)
WRONG = frozenset(
    "invalid_attachments invalid_blocks invalid_blocks_format invalid_payload"
    " missing_text_or_fallback_or_attachments msg_too_long no_text too_many_attachments"
    " user_not_found".split()
)
BUSY = frozenset("rate_limited ratelimited rollup_error".split())

WORD = re.compile(r"[a-z_]+")
# Mattermost and others show the fallback alone, as Markdown and with plain @mentions.
ACTIVE = re.compile(r"(@(?=\w)|:(?=//)|\](?=[(\[:])|\bwww(?=\.))", re.IGNORECASE)


class Slack(ChatWebhook):
    """Messages for a Slack channel."""

    name = "slack"
    number = re.compile(r"https://hooks\.slack\.com/services/\w+/(\w+)/\w+")

    def body(self, alert: Alert) -> bytes:
        """The alert as blocks, with a fallback in words."""
        return as_json(message(alert))

    def judge(self, reply: HttpReply, now: datetime) -> None:
        """Nothing if the message was taken; else what Slack means: by its word, else the code."""
        found = WORD.match(str(said(reply).get("error", "")) or reply.text.strip())
        word = found[0] if found else ""
        told: dict[str, Any] = {"status": reply.status, "reply": reply.text}
        if word in GONE:
            raise ConnectionRefused(f"Slack closed this webhook ({word}); make a new one.", **told)
        if word in WRONG:
            raise ItemRefused(f"Slack cannot read this message ({word}).", **told)
        if word in BUSY:
            after = retry_after(reply.headers, reply.body, now)
            pause = word != "rollup_error"
            raise TryLater(f"Slack asks to wait ({word}).", after=after, pause=pause, **told)
        super().judge(reply, now)


def message(alert: Alert) -> dict[str, Any]:
    """The alert as Slack takes it."""
    small_print = _text(wording.small_print(alert), LONGEST_SECTION)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _text(wording.headline(alert), LONGEST_HEADER)},
        *(_digest(alert) if alert.items else _details(alert)),
        {"type": "context", "elements": [small_print]},
    ]
    return {
        "text": _fallback(alert),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks,
    }


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _text(text: str, room: int) -> dict[str, Any]:
    # Without `emoji: false` Slack makes a picture of :skull:.
    return {"type": "plain_text", "text": fit(text, room, _escape), "emoji": False}


def _details(alert: Alert) -> list[dict[str, Any]]:
    """The short lines side by side, each long one below the other, and a button."""
    told = wording.lines(alert)
    short = [line for line in told if len(line.text) <= LONGEST_FIELD and "\n" not in line.text]
    short = short[:MOST_FIELDS]
    long = [line for line in told if line not in short]
    blocks: list[dict[str, Any]] = []
    if short:
        blocks.append({"type": "section", "fields": [_line(line) for line in short]})
    blocks += [{"type": "section", "text": _line(line)} for line in long[:MOST_SECTIONS]]
    blocks += _left_out(len(long))
    if url := wording.link(alert):
        blocks.append({"type": "actions", "elements": [_button(url)]})
    return blocks


def _digest(alert: Alert) -> list[dict[str, Any]]:
    """A section for each alert, with a button of its own."""
    blocks: list[dict[str, Any]] = []
    for item in alert.items[:MOST_SECTIONS]:
        rows = [wording.headline(item), wording.standing(item), *wording.reasons(item)]
        text = "\n".join(row for row in rows if row)
        block: dict[str, Any] = {"type": "section", "text": _text(text, LONGEST_SECTION)}
        if url := wording.link(item):
            block["accessory"] = _button(url)
        blocks.append(block)
    return blocks + _left_out(len(alert.items))


def _left_out(count: int) -> list[dict[str, Any]]:
    said = wording.more(count - MOST_SECTIONS)
    return [{"type": "section", "text": _text(said, LONGEST_SECTION)}] if said else []


def _line(line: Line) -> dict[str, Any]:
    return _text(f"{line.label}\n{line.text}", 2_000)


def _button(url: str) -> dict[str, Any]:
    label = {"type": "plain_text", "text": "Open lead", "emoji": False}
    return {"type": "button", "action_id": "open_lead", "text": label, "url": url}


def _fallback(alert: Alert) -> str:
    """What notifications and screen readers say, and services that know no blocks show."""
    about = [f"{wording.who(item)} {wording.standing(item)}" for item in alert.items]
    rows = [wording.headline(alert), wording.standing(alert), *about[:MOST_SECTIONS]]
    text = "\n".join(row for row in rows if row)
    shown = fit(text, LONGEST_FALLBACK, lambda part: ACTIVE.sub("\\1\u200b", _escape(part)))
    url = wording.link(alert)
    return f"{shown}\n{_escape(url)}" if url else shown
