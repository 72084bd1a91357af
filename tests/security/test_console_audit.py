"""Whatever changes something in the console stands in the audit log, once; what is refused, not.

The list of buttons is made from the routes themselves: a new one fails here until it is pressed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.audit_words import SENTENCES
from models import AuditEntry
from tests.console.forms import form_to
from tests.console.office import Office, Visit, office
from tests.security.presses import BUTTONS, Press
from tests.security.test_console_matrix import SAFE, routes

# They change nothing: a POST carries what is too long or too private for an address.
TELLS_NOTHING = {
    "console_workflow_try.talk": "preview/talk",
    "console_workflow_typed.look": "look/points",
    "console_workflow_typed.rows": "questions/1/rows",
}
# Letters can be sent, so that what needs one works; none is, for nothing runs in the background.
MAIL = {
    "EMAIL_HOST": "127.0.0.1",
    "SENDER_EMAIL": "us@example.com",
    "APP_URL": "https://us.example",
}


@pytest.fixture
def ours(database_url: str, tmp_path: Path) -> Iterator[Office]:
    """An office that can send letters, on both databases."""
    with office(database_url, tmp_path, **MAIL) as found:
        yield found


@pytest.fixture
def small(sqlite_template: Path, tmp_path: Path) -> Iterator[Office]:
    """The same on SQLite."""
    file = tmp_path / "office.db"
    file.write_bytes(sqlite_template.read_bytes())
    with office(f"sqlite:///{file}", tmp_path, **MAIL) as found:
        yield found


def _count(ours: Office) -> int:
    return int(ours.ask(lambda s: s.session.scalar(select(func.count()).select_from(AuditEntry))))


def _newest(ours: Office, count: int) -> list[str]:
    newest = select(AuditEntry.action).order_by(AuditEntry.id.desc()).limit(count)
    return list(ours.ask(lambda services: services.session.scalars(newest).all()))


def _filled(visit: Visit, found: Press) -> dict[str, Any]:
    """The form as its page fills it in, with what is typed besides."""
    kept = form_to(visit.get(found.page).text, found.action) if found.page else {}
    kept.pop("csrf_token", None)
    return {**kept, **found.typed}


def test_every_button_of_the_console_is_pressed_below(small: Office) -> None:
    unsafe = {one.endpoint for one in routes(small.app) if one.method not in SAFE}

    assert unsafe - set(TELLS_NOTHING) - set(BUTTONS) == set(), "write these into presses.py"
    assert set(BUTTONS) - unsafe == set(), "there is no such button any more"
    assert len(BUTTONS) > 60


def test_each_button_writes_exactly_one_entry(ours: Office) -> None:
    wrong = []
    for view, prepare in BUTTONS.items():
        found = prepare(ours)
        alice = ours.alice
        form = _filled(alice, found)
        before = _count(ours)
        reply = alice.post(found.action, form)
        written = _count(ours) - before
        if reply.status_code >= 400 or written != 1:
            said = _newest(ours, written) if reply.status_code < 400 else reply.text[-300:]
            wrong.append(f"{view}: {reply.status_code}, {written} entries: {said}")
        elif _newest(ours, 1)[0] not in SENTENCES:
            wrong.append(f"{view}: {_newest(ours, 1)} cannot be read in the log")

    assert wrong == []


def test_what_only_looks_changes_no_draft_and_writes_none(small: Office) -> None:
    alice = small.alice
    alice.post("/console/workflow/drafts", {"version": "1"})
    before = _count(small), small.ask(lambda s: s.workflow_drafts.get(1))
    path = "/console/workflow/drafts/1"
    form = form_to(alice.get(f"{path}/questions/1").text, f"{path}/questions/1")

    for place in TELLS_NOTHING.values():
        assert alice.post(f"{path}/{place}", {**form, "when": "all"}).status_code < 500, place

    assert (_count(small), small.ask(lambda s: s.workflow_drafts.get(1))) == before


def test_what_is_refused_writes_none(small: Office) -> None:
    """By who may not, without our token, and with nothing that can be used in it."""
    wrong = []
    for view, prepare in BUTTONS.items():
        found = prepare(small)
        alice, vera = small.alice, small.vera
        bad = {name: "\x00" for name in (*found.typed, "revision") if name != "file"}
        tries = {
            "without a token": lambda f=found: alice.client.post(f.action),
            "by a viewer": lambda f=found: vera.post(f.action, dict(f.typed)),
            "with an unusable form": lambda f=found, b=bad: alice.post(f.action, b),
        }
        for name, ask in tries.items():
            before = _count(small)
            status = ask().status_code
            if status >= 400 and _count(small) != before:
                wrong.append(f"{view}, {name}: {status}, {_newest(small, 1)}")

    assert wrong == []
