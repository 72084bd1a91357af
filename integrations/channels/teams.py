"""Microsoft Teams: webhooks of Workflows, which post an Adaptive Card.

https://learn.microsoft.com/connectors/teams/#when-a-teams-webhook-request-is-received
https://learn.microsoft.com/adaptive-cards/schema-explorer/text-run

A visitor's words stand in text runs only: TextBlock and FactSet read Markdown, a run does not, so
nothing need be escaped in the hope that every client takes the escapes for what they are.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from integrations.channels import wording
from integrations.channels.base import AddressRefused, Alert, Receipt
from integrations.channels.chat import ChatWebhook, as_json
from integrations.channels.wording import Line, fit
from integrations.errors import ConnectionRefused
from integrations.http import HttpReply

# Past about 28 KB the workflow fails after it has said yes; reports begin at 21 KB.
LONGEST_BODY = 20_000
ROOMS = (2_000, 1_000, 500, 250, 120, 60)
MOST_LINES = 20
MOST_ITEMS = 15

RETIRED = ("webhook.office.com", "outlook.office.com", "outlook.office365.com")
# {{DATE(…)}} is read in every text of a card, runs included.
FUNCTION = re.compile(r"\{(?=\{)")

# Words that mean the workflow itself, whatever status they come with.
GONE = re.compile(
    "WorkflowNotFound|WorkflowTriggerNotFound|WorkflowTriggerIsNotEnabled|WorkflowIsNotEnabled"
    "|InvalidSasToken|SasTokenExpired"
)
NOT_FOR_ANYONE = re.compile("DirectApiAuthorizationRequired|OAuthAuthorizationRequired")


class Teams(ChatWebhook):
    """Messages for a Teams channel or chat."""

    name = "teams"

    def check(self, address: str) -> str:
        """The address in its usual form; the connectors of old are refused."""
        checked = super().check(address)
        host = urlsplit(checked).hostname or ""
        if any(host == retired or host.endswith(f".{retired}") for retired in RETIRED):
            raise AddressRefused(
                "Microsoft switched off this kind of webhook in May 2026; in Teams choose Workflows"
                " and “Send webhook alerts to a channel”, and use the address it gives you."
            )
        return checked

    def body(self, alert: Alert) -> bytes:
        """The alert as a card in as many bytes as a workflow can post; the longest texts give."""
        for room in ROOMS:
            body = as_json(message(alert, room))
            if len(body) <= LONGEST_BODY:
                break
        return body

    def judge(self, reply: HttpReply, now: datetime) -> None:
        """Nothing if the workflow took the message; else what its answer means."""
        told: dict[str, Any] = {"status": reply.status, "reply": reply.text}
        if reply.status >= 400 and NOT_FOR_ANYONE.search(reply.text):
            reason = "The workflow takes nothing from outside: let Anyone trigger it."
            raise ConnectionRefused(reason, **told)
        if reply.status >= 400 and GONE.search(reply.text):
            reason = "The workflow is off or gone: switch it on in Teams, or make a new webhook."
            raise ConnectionRefused(reason, **told)
        super().judge(reply, now)

    def receipt(self, reply: HttpReply) -> Receipt:
        """A yes of the workflow, which is not yet one of Teams."""
        note = "Queued by the workflow; its run history says whether it was posted."
        return Receipt(reply.status, reply.text, note)


def message(alert: Alert, room: int = ROOMS[0]) -> dict[str, Any]:
    """The alert as Teams takes it, with at most `room` characters of any text."""
    title = _runs(_run(wording.headline(alert), min(room, 250), weight="Bolder", size="Large"))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [title, *(_digest(alert, room) if alert.items else _details(alert, room))],
        "msteams": {"width": "Full"},
    }
    small_print = _run(wording.small_print(alert), min(room, 250), size="Small", isSubtle=True)
    card["body"].append(_runs(small_print, separator=True))
    if url := wording.link(alert):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open lead", "url": url}]
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _details(alert: Alert, room: int) -> list[dict[str, Any]]:
    told = wording.lines(alert)
    blocks = [block for line in told[:MOST_LINES] for block in _line(line, room)]
    return blocks + _left_out(len(told) - MOST_LINES)


def _line(line: Line, room: int) -> list[dict[str, Any]]:
    """The label and its text; a run shows no line ends, so every line is a block."""
    first, *others = fit(line.text, room).split("\n")
    label = _run(f"{line.label}: ", min(room, 100), weight="Bolder")
    blocks = [_runs(label, _run(first, room), spacing="Small")]
    return blocks + [_runs(_run(other, room), spacing="None") for other in others if other]


def _digest(alert: Alert, room: int) -> list[dict[str, Any]]:
    """Every alert as a name that opens the lead, and a line about it."""
    blocks: list[dict[str, Any]] = []
    for item in alert.items[:MOST_ITEMS]:
        name = _run(wording.headline(item), min(room, 250), weight="Bolder")
        if url := wording.link(item):
            name["selectAction"] = {"type": "Action.OpenUrl", "url": url}
        blocks.append(_runs(name, separator=True))
        about = ". ".join(part for part in (wording.standing(item), *wording.reasons(item)) if part)
        if about:
            blocks.append(_runs(_run(about, room), spacing="None"))
    return blocks + _left_out(len(alert.items) - MOST_ITEMS)


def _left_out(count: int) -> list[dict[str, Any]]:
    said = wording.more(count)
    return [_runs(_run(said, ROOMS[0], isSubtle=True))] if said else []


def _run(text: str, room: int, **style: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": FUNCTION.sub("{\u200b", fit(text, room)), **style}


def _runs(*runs: dict[str, Any], **style: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs), **style}
