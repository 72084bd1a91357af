"""Alerts to send, what vendors' own programs say of the messages, and what each looked like before.

`WRITE_GOLDEN=1 pytest tests/integrations` writes `golden/<channel>.json` anew: read the difference.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integrations.channels.base import Alert, Reason

HERE = Path(__file__).parent
FRONTEND = HERE.parent.parent / "frontend"
# Of a longer text a golden file keeps both ends, its length and its print.
SHOWN = 160

ALERT = Alert(
    id="dlv_0192ab",
    trigger="became_sql",
    title="New SQL lead",
    occurred_at=datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
    lead_id=7,
    name="Jane Doe",
    company="Acme GmbH",
    email="jane@acme.example",
    phone="+49 30 901820",
    score=82,
    classification="SQL",
    tier="hot",
    reasons=(
        Reason("Opened the page", 5),
        Reason("Asked for a demo", 15),
        Reason("Shared a contact", 10),
        Reason("Long since seen", -7.5),
    ),
    source="google_ads / cpc / spring",
    url="https://crm.example.com/leads/7",
    details=(("Message", "We need 50 seats.\nBefore Christmas, please."),),
)


def hostile(text: str) -> Alert:
    """An alert of which everything that a visitor can type is this text."""
    return replace(
        ALERT,
        name=text,
        company=text,
        email=text,
        phone=text,
        source=text,
        reasons=(Reason(text, 15), Reason(text, 5)),
        details=((text, text), ("Message", text)),
    )


def digest(count: int, text: str | None = None) -> Alert:
    """An alert about so many others, each about a lead of its own."""
    kind = ALERT if text is None else hostile(text)
    items = tuple(
        replace(kind, id=f"dlv_{n}", lead_id=n, url=f"https://crm.example.com/leads/{n}")
        for n in range(count)
    )
    title = f"{count} leads while you were away"
    occurred_at = ALERT.occurred_at
    return Alert(id="dlv_d", trigger="digest", title=title, occurred_at=occurred_at, items=items)


def through_node(script: str, given: Any) -> Any:
    """What a program beside this file says of what it was given; both are JSON."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    ran = subprocess.run(
        [node, str(HERE / script), str(FRONTEND)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"Has `npm ci` run in frontend/?\n{ran.stderr}"
    return json.loads(ran.stdout)


def assert_golden(name: str, found: Any) -> None:
    """Assert that this looks as it did when the golden file was written and read."""
    file = HERE / "golden" / f"{name}.json"
    short = _shortened(found)
    if os.environ.get("WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(short, indent=1) + "\n", "ascii")
    assert short == json.loads(file.read_text("ascii"))


def _shortened(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _shortened(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_shortened(value) for value in found]
    if not isinstance(found, str) or len(found) <= 2 * SHOWN:
        return found
    mark = hashlib.sha256(found.encode()).hexdigest()[:12]
    return f"{found[:SHOWN]} [{len(found)} characters, {mark}] {found[-SHOWN // 4:]}"
