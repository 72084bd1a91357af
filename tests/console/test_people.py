"""The pages of people, API keys and the audit log, and the letters that bring links."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from jobs.tasks import Worker
from models import AuditEntry, Job, Person
from tests.console.office import Office, office, plain
from tests.integrations.mailbox import MailServer

HOSTILE = '"><script>hits()</script><img src=x onerror=hits()>'


def give_password(ours: Office, *people: int) -> None:
    """These have been here before: they count as people who can come in."""
    with ours.unit() as services:
        services.session.execute(
            update(Person).where(Person.id.in_(people)).values(password_hash="$kept$")
        )


def audited(ours: Office) -> list[tuple[str, str]]:
    """Who did what, in order."""
    with ours.unit() as services:
        rows = select(AuditEntry.actor, AuditEntry.action).order_by(AuditEntry.id)
        return [(actor, action) for actor, action in services.session.execute(rows)]


@pytest.mark.parametrize("path", ["/console/people", "/console/keys", "/console/audit"])
def test_these_pages_are_for_admins_alone(small: Office, path: str) -> None:
    for visit in (small.mark, small.sam, small.vera):
        assert visit.get(path).status_code == 403
        assert path not in visit.get("/console/profile").text
    assert small.alice.get(path).status_code == 200
    assert path in small.alice.get("/console/profile").text


# People


def test_everybody_is_listed_with_their_open_leads(ours: Office) -> None:
    ours.hire("Sam", "sales")
    for name in ("A", "B"):
        ours.enter_lead(name=name, assigned_to="sam@example.com")

    text = ours.alice.text("/console/people")

    assert "Sam sam@example.com Invited Sales 2 1 no limit never" in text


def test_an_invitation_is_refused_where_the_address_is_known_or_none(small: Office) -> None:
    alice = small.alice
    for email, name, word in (
        ("alice@example.com", "A", "works here already"),
        ("ALICE@example.com", "A", "works here already"),
        ("not an address", "B", "Write an e-mail address"),
        ("=?utf-8?q?a=0D=0A?=@example.com", "B", "Write an e-mail address"),
    ):
        form = {"email": email, "name": name, "role": "sales"}
        reply = alice.post("/console/people", form)
        assert reply.status_code == 422, email
        assert word in plain(reply.text), email
    assert (
        'value="not an address"'
        in alice.post(
            "/console/people", {"email": "not an address", "name": "B", "role": "sales"}
        ).text
    )
    bad = alice.post("/console/people", {"email": "b@example.com", "name": "B", "role": "king"})
    assert bad.status_code == 422
    assert audited(small) == []


def test_what_people_are_called_is_only_ever_text(small: Office) -> None:
    alice = small.alice
    form = {"email": "h@example.com", "name": HOSTILE, "role": "sales"}
    shown = alice.post("/console/people", form).text
    person_id = small.hire("H", "sales")
    pages = [shown, *(alice.get(f"/console/people{one}").text for one in ("", f"/{person_id}"))]
    key = alice.post("/console/keys", {"name": HOSTILE, "scopes": "leads:read", "days": "30"})
    pages += [key.text, alice.get("/console/keys").text, alice.get("/console/audit").text]

    for text in pages:
        assert "<script>hits" not in text and "<img src=x" not in text
        assert "&lt;script&gt;hits()" in text or "script" not in plain(text)


def test_another_role_counts_at_once_and_signs_out(ours: Office) -> None:
    sam, alice = ours.sam, ours.alice
    person_id = ours.hire("Sam", "sales")
    form = {"role": "viewer", "weight": "3", "capacity": "40"}

    assert alice.post(f"/console/people/{person_id}", form).status_code == 303

    assert sam.get("/console/profile").status_code == 303
    with ours.unit() as services:
        kept = services.people.get(person_id)
    assert (kept.role, kept.weight, kept.capacity) == ("viewer", 3, 40)
    assert audited(ours) == [("alice@example.com", "person.changed")]


def test_who_is_disabled_is_out_with_the_next_request_and_may_come_back(ours: Office) -> None:
    sam, alice = ours.sam, ours.alice
    person_id = ours.hire("Sam", "sales")

    reply = alice.post(f"/console/people/{person_id}/disable", follow=True)

    assert "Disabled, and signed out everywhere." in plain(reply.text)
    assert sam.get("/console/profile").status_code == 303
    assert alice.post(f"/console/people/{person_id}/link").status_code == 409
    assert alice.post(f"/console/people/{person_id}/enable").status_code == 303
    # The old browser stays out: it was signed out, not put on hold.
    assert sam.get("/console/profile").status_code == 303
    assert ours.sam.get("/console/profile").status_code == 200
    assert [action for _, action in audited(ours)] == ["person.disabled", "person.enabled"]


def test_the_last_admin_cannot_go(ours: Office) -> None:
    alice = ours.alice
    her, olga = ours.hire("Alice", "admin"), ours.hire("Olga", "admin")
    give_password(ours, her)
    away = {"role": "sales", "weight": "1", "capacity": ""}

    for path, form in ((f"{her}/disable", {}), (str(her), away)):
        reply = alice.post(f"/console/people/{path}", form)
        assert reply.status_code == 409
        # Olga was invited and has not come yet: she could let nobody in.
        assert "last admin" in plain(reply.text)
    give_password(ours, olga)
    assert alice.post(f"/console/people/{her}", away).status_code == 303

    assert alice.get("/console/people").status_code == 303
    assert [action for _, action in audited(ours)] == ["person.changed"]


@pytest.mark.parametrize("path", ["/999", "/0", f"/{2**63}", "/999/disable"])
def test_nobody_of_that_id_is_a_page_and_no_error(small: Office, path: str) -> None:
    alice = small.alice
    wanted = alice.post if path.endswith("disable") else alice.get

    assert wanted(f"/console/people{path}").status_code == 404


# Keys


def test_a_key_is_shown_once_and_opens_what_was_ticked(ours: Office) -> None:
    alice = ours.alice
    form = {"name": "reports", "scopes": ["analytics:read"], "days": "30"}
    found = re.search(r"lk_\w{8}_[\w-]{43}", alice.post("/console/keys", form).text)
    assert found
    key, client = found[0], ours.app.test_client()
    shown = {"Authorization": f"Bearer {key}"}

    assert client.get("/api/analytics/leads", headers=shown).status_code == 200
    assert client.get("/api/leads", headers=shown).status_code == 403
    assert key not in alice.get("/console/keys").text
    assert "21 Dec 2026" in alice.text("/console/keys")
    assert alice.post(f"/console/keys/{key.split('_')[1]}/revoke").status_code == 303
    assert client.get("/api/analytics/leads", headers=shown).status_code == 401
    done = [("alice@example.com", f"key.{what}") for what in ("created", "revoked")]
    assert audited(ours) == done


def test_the_last_use_of_a_key_is_noted_once_an_hour_and_by_no_visitor(ours: Office) -> None:
    key = ours.new_key("leads:read")
    client, shown = ours.app.test_client(), {"Authorization": f"Bearer {key}"}

    def used() -> Any:
        return ours.ask(lambda services: services.accounts.list_keys()[0]["last_used_at"])

    ours.start()
    client.post("/api/session/start", json={}, headers=shown)
    assert used() is None and "never" in ours.alice.text("/console/keys")
    assert client.get("/api/leads", headers=shown).status_code == 200
    first = used()
    assert first == ours.clock.now()
    ours.clock.advance(3599)  # type: ignore[attr-defined]
    client.get("/api/leads", headers=shown)
    assert used() == first
    ours.clock.advance(1)  # type: ignore[attr-defined]
    assert client.get("/api/analytics/leads", headers=shown).status_code == 403
    assert used() == first, "what is refused is no use"
    client.get("/api/leads", headers=shown)
    assert used() == ours.clock.now()
    assert "21 Nov 2026" in ours.alice.text("/console/keys")


def test_who_only_reads_is_served_where_the_use_of_a_key_cannot_be_noted(small: Office) -> None:
    client, shown = small.app.test_client(), {
        "Authorization": f"Bearer {small.new_key('leads:read')}"
    }
    full = "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    with small.resources.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TRIGGER full BEFORE UPDATE ON api_keys {full}")

    assert client.get("/api/leads", headers=shown).status_code == 200


def test_a_key_that_may_nothing_is_refused_with_what_was_typed(small: Office) -> None:
    reply = small.alice.post("/console/keys", {"name": "re<b>ports", "days": "365"})

    assert reply.status_code == 422
    assert 'value="re&lt;b&gt;ports"' in reply.text
    assert "at least one scope" in plain(reply.text)


def test_a_key_ends_by_itself(small: Office) -> None:
    alice = small.alice
    alice.post("/console/keys", {"name": "short", "scopes": "leads:read", "days": "30"})
    small.clock.advance(timedelta(days=31).total_seconds())  # type: ignore[attr-defined]

    assert "Expired" in small.alice.text("/console/keys")


# The audit log


def test_the_audit_is_filtered_and_turned_page_by_page(ours: Office) -> None:
    with ours.unit() as services:
        for number in range(120):
            services.accounts.audit("bob", "lead.edited", f"lead {number}", {"stage": "new"})
        services.accounts.audit("carol", "lead.deleted", "lead 7", {})
    alice = ours.alice

    first = alice.get("/console/audit")
    older = re.search(r'href="(/console/audit\?before=\d+)"', first.text)
    assert older and "lead 71 " in plain(first.text) and "lead 70 " not in plain(first.text)
    assert "bob edited lead 70" in plain(alice.client.get(older[1]).text)
    assert "50 shown" in alice.text("/console/audit", actor="bob")
    only = alice.text("/console/audit", action="lead.deleted")
    assert "1 shown" in only and "carol" in only
    assert "carol deleted lead 7" in only
    of_leads = alice.text("/console/audit", kind="leads", actor="carol")
    assert "1 shown" in of_leads
    assert "Nothing here" in alice.text("/console/audit", kind="workflow", actor="carol")
    assert "Nothing here" in alice.text("/console/audit", to="2026-11-20")
    assert "50 shown" in alice.text("/console/audit", **{"from": "2026-11-21"}, to="2026-11-21")


def test_the_audit_says_in_words_who_did_what(small: Office) -> None:
    small.hire("Ann", "marketer")
    lead = small.enter_lead()
    with small.unit() as services:
        audit = services.accounts.audit
        audit("ann@example.com", "workflow.published", "draft 3", {"version": 4})
        audit("alice@example.com", "lead.assigned", f"lead {lead}", {"to": "ann@example.com"})
        audit("key <b>robot</b>", "moon.walked_on", "moon 1", {"a": "<script>"})

    page = small.alice.get("/console/audit")

    for sentence in (
        "Ann published workflow version 4",
        f"Alice gave lead {lead} to Ann open",
        "key <b>robot</b> moon walked on: moon 1",
    ):
        assert sentence in plain(page.text), sentence
    assert f'href="/console/leads/{lead}"' in page.text
    assert "<b>robot" not in page.text and "<script>" not in page.text.replace("<script type", "")


def test_a_filter_that_cannot_be_read_is_no_error_of_ours(small: Office) -> None:
    client = small.alice.client
    for query in ("from=x", "before=0", "before=x", "from=0001-01-01", "actor=%00"):
        assert client.get(f"/console/audit?{query}").status_code in (200, 422), query


# Letters


@pytest.fixture
def mailed(sqlite_template: Path, tmp_path: Path) -> Any:
    """An office that sends e-mail to a server of ours; both."""
    file = tmp_path / "mailed.db"
    file.write_bytes(sqlite_template.read_bytes())
    server = MailServer()
    server.start()
    try:
        settings = {
            "APP_URL": "https://leads.example.com",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": server.port,
            "EMAIL_USE_TLS": False,
            "EMAIL_HOST_USER": "",
            "SENDER_EMAIL": "Leadline <leads@example.com>",
        }
        with office(f"sqlite:///{file}", tmp_path, **settings) as ours:
            yield ours, server
    finally:
        server.stop()


def work(ours: Office) -> None:
    """Whatever waits in the background is done."""
    worker = Worker(ours.resources)
    while worker.work():
        pass


def test_a_forgotten_password_is_mailed_and_the_reply_tells_nothing(mailed: Any) -> None:
    ours, server = mailed
    give_password(ours, ours.hire("Sam", "sales"))
    client = ours.app.test_client()
    said = []
    for email in ("Sam@example.com", "nobody@example.com"):
        headers = {"Host": "evil.example"}
        reply = client.post("/console/forgotten", data={"email": email}, headers=headers)
        said.append((reply.status_code, reply.text.replace(email, "…")))
    with ours.unit() as services:
        waiting = [str(one) for one in services.session.scalars(select(Job.payload))]

    assert said[0] == said[1] and said[0][0] == 200
    assert len(waiting) == 2 and "example.com" not in "".join(waiting)
    work(ours)
    (taken,) = server.taken
    assert taken.recipients == ("sam@example.com",)
    text = taken.letter.get_content()
    found = re.search(r"https://leads\.example\.com(/console/link/[\w-]+)", text)
    assert found and "evil" not in text
    new = {"password": "seven brown bears swim"}
    assert client.post(found[1], data=new).status_code == 303


def test_an_invitation_is_mailed_as_well(mailed: Any) -> None:
    ours, server = mailed
    form = {"email": "bob@example.com", "name": "Bob", "role": "sales"}

    reply = ours.alice.post("/console/people", form)
    work(ours)

    assert "A letter to bob@example.com is on its way" in plain(reply.text)
    assert "https://leads.example.com/console/link/" in reply.text
    (taken,) = server.taken
    assert "invited" in taken.letter.get_content()
    assert "Bob" not in str(taken.letter["Subject"])


def test_a_mail_server_that_is_away_is_asked_again_later_with_a_fresh_link(mailed: Any) -> None:
    ours, server = mailed
    give_password(ours, ours.hire("Sam", "sales"))
    server.script.connect = "421 not now"
    ours.app.test_client().post("/console/forgotten", data={"email": "sam@example.com"})
    work(ours)
    assert server.taken == []

    server.script.connect = ""
    ours.clock.advance(61)
    work(ours)

    assert len(server.taken) == 1
