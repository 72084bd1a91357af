"""Who may open which page and press which button: every route of the console by everybody.

The table is made from the routes themselves, so that a new page is tried the day it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.routing import Rule

from engine.policy import POLICY, Permission, Role, may, may_call
from engine.vocabulary import Scope
from models import ConsoleSession, Person
from tests.console.office import Office, Visit, office
from web.console.frame import Guard
from web.headers import WIDGET_PATHS

SAFE = {"GET", "HEAD", "OPTIONS"}
# Without a guard, because they carry nothing of anybody's.
BARE = {"console_assets.asset"}
# Whoever signs in, sets up, was invited or forgot the password is nobody yet.
PUBLIC = {
    "console_access.sign_in",
    "console_access.enter",
    "console_access.forgotten",
    "console_access.send_link",
    "console_one_time.link",
    "console_one_time.open_link",
}
# A secret in the address is the credential: each such page says here what it opens.
BY_SECRET: set[str] = set()
CSRF = "open for too long"


@dataclass(frozen=True)
class Route:
    """A page or a button: how it is called, and who may."""

    method: str
    path: str
    endpoint: str
    guard: Guard
    takes_lead: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@pytest.fixture
def ours(sqlite_template: Path, tmp_path: Path) -> Iterator[Office]:
    """The office on SQLite: what is asked here never reaches a table."""
    file = tmp_path / "office.db"
    file.write_bytes(sqlite_template.read_bytes())
    with office(f"sqlite:///{file}", tmp_path) as found:
        yield found


def unguarded(app: Flask) -> list[str]:
    """The routes of the console that let in whoever comes."""
    return [
        rule.endpoint
        for rule in _rules(app, "/console")
        if not hasattr(app.view_functions[rule.endpoint], "guard") and rule.endpoint not in BARE
    ]


def routes(app: Flask, lead_id: int = 987654321) -> list[Route]:
    """Every page and button of the console, its address filled with what there is not."""
    found = []
    for rule in _rules(app, "/console"):
        if rule.endpoint in BARE:
            continue
        guard = vars(app.view_functions[rule.endpoint])["guard"]
        takes_lead = "lead_id" in rule.arguments
        path = _filled(rule, lead_id)
        for method in sorted((rule.methods or set()) - SAFE | {"GET"} & (rule.methods or set())):
            found.append(Route(method, path, rule.endpoint, guard, takes_lead))
    return found


def _filled(rule: Rule, lead_id: int) -> str:
    """An address of this rule: about this lead, and otherwise about what there is not."""
    path = re.sub(r"<[^>]*lead_id>", str(lead_id), rule.rule)
    # One of a few words is matched by none but these.
    path = re.sub(r"<any\(([^,)]+)[^)]*\):[^>]*>", lambda found: found[1].strip("'\" "), path)
    return re.sub(r"<[^>]*>", "987654321", path)


def _rules(app: Flask, under: str) -> list[Rule]:
    return [one for one in app.url_map.iter_rules() if one.rule.startswith(under)]


def _ask(client: FlaskClient, route: Route, **headers: str) -> tuple[int, str]:
    reply = client.open(route.path, method=route.method, headers=headers)
    text = reply.text
    reply.close()
    return reply.status_code, text


def _everybody(ours: Office) -> dict[str, Visit]:
    return {role: ours.visit(role.capitalize(), role) for role in Role}


def test_every_route_of_the_console_has_a_guard(ours: Office) -> None:
    assert unguarded(ours.app) == []
    assert len(routes(ours.app)) > 15


def test_a_route_without_a_guard_is_found(ours: Office) -> None:
    """The proof that the test above can fail: somebody adds a page past `Pages.page`."""
    careless = Blueprint("careless", __name__)
    careless.add_url_rule("/console/careless", "page", lambda: "everything")
    # Flask takes no more blueprints once it has served; a fresh application has not.
    from main import create_app

    app = create_app(resources=ours.resources)
    app.register_blueprint(careless)

    assert unguarded(app) == ["careless.page"]


def test_only_the_doors_are_public(ours: Office) -> None:
    public = {route.endpoint for route in routes(ours.app) if route.guard.is_public}

    assert public == PUBLIC | BY_SECRET


def test_strangers_the_disabled_and_the_expired_get_nowhere(ours: Office) -> None:
    disabled, expired, ended = (ours.visit(name, "admin") for name in ("Dora", "Emil", "Finn"))
    with ours.unit() as services:
        now = ours.clock.now()
        gone = update(Person).where(Person.name == "Dora").values(disabled_at=now)
        services.session.execute(gone)
        for name, column in (("Emil", "expires_at"), ("Finn", "ended_at")):
            theirs = ConsoleSession.person_id.in_(select(Person.id).where(Person.name == name))
            services.session.execute(update(ConsoleSession).where(theirs).values({column: now}))
    forged = ours.app.test_client()
    forged.set_cookie("leadline", "A" * 43)
    nobody = {"stranger": ours.app.test_client(), "forged": forged}
    nobody |= {one.person: one.client for one in (disabled, expired, ended)}
    wrong = []
    for route in routes(ours.app):
        if route.guard.is_public:
            continue
        for name, client in nobody.items():
            reply = client.open(route.path, method=route.method)
            place = reply.headers.get("Location", "")
            if reply.status_code != 303 or not place.startswith("/console/sign-in?next="):
                wrong.append(f"{route} by {name}: {reply.status_code}")
            part = client.open(route.path, method=route.method, headers={"HX-Request": "true"})
            if part.status_code != 401 or part.get_data():
                wrong.append(f"part of {route} by {name}: {part.status_code}")

    assert wrong == []


def test_every_role_may_what_the_policy_says_and_nothing_else(ours: Office) -> None:
    wrong, asked = [], 0
    people = _everybody(ours)
    for route in routes(ours.app):
        if route.guard.is_public:
            continue
        for role, visit in people.items():
            asked += 1
            # A button is pressed without our token: whom the role lets through fails at that.
            status, text = _ask(visit.client, route)
            is_let_in = route.guard.needs is None or may(Role(role), route.guard.needs)
            refused = status == 403 and CSRF not in text
            if refused is is_let_in or status >= 500:
                wrong.append(f"{route} by {role}: {status}")

    assert wrong == []
    assert asked > 60


def test_no_button_works_without_our_token_or_from_another_site(ours: Office) -> None:
    """Threat 7: every unsafe route, by somebody who may do everything."""
    alice, sam = ours.alice, ours.sam
    token = alice.token
    tries: list[dict[str, str]] = [
        {},
        {"X-CSRF-Token": sam.token},
        {"X-CSRF-Token": token, "Origin": "http://localhost.evil.example"},
        {"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"},
    ]
    wrong = []
    for route in routes(ours.app):
        if route.method in SAFE:
            continue
        for headers in tries[2:] if route.guard.is_public else tries:
            status, _ = _ask(alice.client, route, **headers)
            if status != 403:
                wrong.append(f"{route} with {headers}: {status}")

    assert wrong == []
    assert alice.get("/console/profile").status_code == 200


def test_a_page_about_a_lead_is_not_there_for_who_does_not_own_it(ours: Office) -> None:
    """Own or other: the row filter stands under every page that names a lead."""
    hers = ours.enter_lead(name="Hers", assigned_to="sue@example.com")
    mine = ours.enter_lead(name="Mine", assigned_to="sam@example.com")
    sam, alice = ours.sam, ours.alice
    with ours.unit() as services:
        services.diary.set_follow_up(hers, ours.clock.now() + timedelta(hours=1), actor="sue")
    before = alice.get(f"/api/leads/{hers}").json
    for route in _about(ours, hers):
        # An empty form may be refused before anybody looks for the lead.
        refusals = (404,) if route.method in SAFE else (400, 404, 422)
        status, text = _ask(sam.client, route, **{"X-CSRF-Token": sam.token})
        assert status in refusals and "Hers" not in text, f"{route}: {status}"
    assert alice.get(f"/api/leads/{hers}").json == before
    for route in _about(ours, mine):
        status, _ = _ask(sam.client, route, **{"X-CSRF-Token": sam.token})
        assert status < 500 and status != 403, f"{route}: {status}"


def _about(ours: Office, lead_id: int) -> list[Route]:
    """What somebody who sells may ask for about this lead."""
    found = [one for one in routes(ours.app, lead_id) if one.takes_lead]
    return [one for one in found if not one.guard.needs or may(Role.SALES, one.guard.needs)]


def test_every_page_is_private_and_framed_by_nobody(ours: Office) -> None:
    alice, stranger = ours.alice, ours.app.test_client()
    for route in routes(ours.app):
        if route.method != "GET":
            continue
        for client in (alice.client, stranger):
            reply = client.get(route.path)
            policy = reply.headers["Content-Security-Policy"]
            if reply.mimetype != "text/html" or reply.status_code == 303:
                continue
            assert "frame-ancestors 'none'" in policy, route
            assert "unsafe-inline" not in policy and "unsafe-eval" not in policy, route
            assert reply.headers["X-Frame-Options"] == "DENY", route
            assert "no-store" in reply.headers["Cache-Control"], route
            assert reply.headers["X-Content-Type-Options"] == "nosniff", route


# The API with a console login


def _api(app: Flask) -> list[tuple[str, str, Any, Permission | None]]:
    """Method, path and access of every endpoint of the API, and what it asks of staff besides."""
    found = []
    for rule in _rules(app, "/api/"):
        offer = getattr(app.view_functions[rule.endpoint], "offer", None)
        if offer is not None:
            path = re.sub(r"<[^>]*>", "987654321", rule.rule)
            found.append((offer.method, path, offer.access, offer.staff))
    return found


def test_the_api_takes_a_login_as_its_role_allows(ours: Office) -> None:
    wrong, asked = [], 0
    for role, visit in _everybody(ours).items():
        token = visit.token
        for method, path, access, staff in _api(ours.app):
            if not isinstance(access, Scope):
                continue
            asked += 1
            status = _call(visit.client, method, path, {"X-CSRF-Token": token})
            is_let_in = may_call(Role(role), access) and (not staff or may(Role(role), staff))
            if (status in (401, 403)) is is_let_in or status >= 500:
                wrong.append(f"{method} {path} by {role}: {status}")

    assert wrong == []
    assert asked > 100


def test_the_api_changes_nothing_by_a_login_without_our_token(ours: Office) -> None:
    alice = ours.alice
    token = alice.token
    evil = {"X-CSRF-Token": token, "Origin": "https://evil.example"}
    fetched = {"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"}
    for method, path, access, _ in _api(ours.app):
        if method in SAFE or not isinstance(access, Scope):
            continue
        for headers in ({}, {"X-CSRF-Token": ours.sam.token}, evil, fetched):
            assert _call(alice.client, method, path, headers) == 403, (method, path, headers)
        # A form can carry a field, but no header: the field opens nothing here.
        reply = alice.client.open(path, method=method, data={"csrf_token": token})
        assert reply.status_code == 403, (method, path)


def test_a_bad_key_is_not_saved_by_a_good_login(ours: Office) -> None:
    alice = ours.alice
    headers = {"Authorization": "Bearer lk_23456789_" + "a" * 43}

    assert alice.client.get("/api/leads", headers=headers).status_code == 401


def test_a_login_that_ended_opens_no_api(ours: Office) -> None:
    alice = ours.alice
    assert alice.get("/api/leads").status_code == 200
    alice.post("/console/sign-out")

    assert alice.client.get("/api/leads").status_code == 401


def test_what_masks_in_the_console_is_refused_in_the_api(ours: Office) -> None:
    ours.enter_lead(name="Lena Lead", email="lena@example.com")
    for visit in (ours.mark, ours.vera):
        reply = visit.get("/api/leads")
        assert reply.status_code == 403 and "lena" not in reply.text.lower()
    for role in Role:
        if Scope.LEADS_READ in {one for one in Scope if may_call(role, one)}:
            assert "leads:personal" in {str(one) for one in POLICY[role]}


def test_a_read_of_a_session_is_whole_for_who_sells_and_masked_for_who_does_not(
    ours: Office,
) -> None:
    session = ours.start()["session_id"]
    profile = {"session_id": session, "profile_data": {"name": "Lena", "email": "l@example.com"}}
    ours.app.test_client().post("/api/lead/profile", json=profile)
    path = f"/api/lead/summary/{session}"

    assert ours.sam.get(path).json["lead_data"]["email"] == "l@example.com"
    for visit in (ours.mark, ours.vera):
        said = visit.get(path).json
        assert said["masked"] is True and said["lead_data"]["email"] != "l@example.com"


# The widget's endpoints know no cookie


def test_what_the_widget_calls_gives_and_heeds_no_cookie(ours: Office) -> None:
    """Threat 8: another site that calls them gains nothing by who is signed in here."""
    session = ours.start()["session_id"]
    alice = ours.alice
    seen = 0
    for method, path, _, _ in _api(ours.app):
        path = path.replace("987654321", session)
        if not re.match(WIDGET_PATHS, path):
            continue
        seen += 1
        for client in (ours.app.test_client(), alice.client):
            reply = client.open(path, method=method, json={} if method == "POST" else None)
            assert "Set-Cookie" not in reply.headers, path
            assert "Access-Control-Allow-Credentials" not in reply.headers, path
    assert seen > 8
    # Writing asks for no token of the console's, for it takes no login either.
    body = {"session_id": session, "action": "website_visit"}
    reply = alice.client.post(
        "/api/behavior", json=body, headers={"Origin": "https://shop.example"}
    )
    assert reply.status_code == 200


def _call(client: FlaskClient, method: str, path: str, headers: dict[str, str]) -> int:
    reply = client.open(path, method=method, headers=headers, json={} if method != "GET" else None)
    reply.close()
    return reply.status_code
