"""Who may call what: every route and method, asked by every kind of caller, against one table."""

from __future__ import annotations

from contextlib import closing
import secrets
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from flask import Flask

from engine.vocabulary import Scope
from jobs.training import train_now
from lib.packed_file import pack
from models import Job
from services.destination_service import Who as DestinationWho
from tests.security.principals import Principal, everybody
from tests.shop import START, Shop

OPEN, READ = "open to all", "full or masked"
# To whoever shows a good key; of a job that is none of its business it learns nothing.
BY_KIND = "by the kind of job"
# The policy: who may call what. A new route needs a row here, or the test fails.
POLICY = {
    "POST /api/session/start": OPEN,
    "GET /api/questions": OPEN,
    "POST /api/answer": OPEN,
    "POST /api/behavior": OPEN,
    "POST /api/lead/profile": OPEN,
    "GET /api/product-menu": OPEN,
    "GET /api/cta-options": OPEN,
    "POST /api/ab-test/variant/<test_name>": OPEN,
    "POST /api/ab-test/conversion": OPEN,
    "GET /api/lead/summary/<session_id>": READ,
    "GET /api/score/<session_id>": READ,
    "GET /api/lead/export/<session_id>": Scope.LEADS_EXPORT,
    "GET /api/analytics/leads": Scope.ANALYTICS_READ,
    "GET /api/leads": Scope.LEADS_READ,
    "POST /api/leads": Scope.LEADS_WRITE,
    "GET /api/leads/<lead_id>": Scope.LEADS_READ,
    "PATCH /api/leads/<lead_id>": Scope.LEADS_WRITE,
    "DELETE /api/leads/<lead_id>": Scope.LEADS_WRITE,
    "POST /api/leads/<lead_id>/activities": Scope.LEADS_WRITE,
    "POST /api/leads/<lead_id>/follow-ups": Scope.LEADS_WRITE,
    "POST /api/leads/<lead_id>/follow-ups/<follow_up_id>/done": Scope.LEADS_WRITE,
    "POST /api/leads/<lead_id>/outcome": Scope.LEADS_WRITE,
    "GET /api/leads/<lead_id>/prediction": Scope.PREDICTIONS_READ,
    "POST /api/predict": Scope.PREDICTIONS_READ,
    "GET /api/models": Scope.MODELS_READ,
    "GET /api/models/comparison": Scope.MODELS_READ,
    "GET /api/models/config": Scope.MODELS_READ,
    "POST /api/models/config": Scope.MODELS_WRITE,
    "POST /api/models/train": Scope.MODELS_WRITE,
    "GET /api/models/<model_id>": Scope.MODELS_READ,
    "POST /api/models/<model_id>/promote": Scope.MODELS_WRITE,
    "POST /api/leads/refresh": Scope.LEADS_WRITE,
    "GET /api/jobs/<job_id>": BY_KIND,
    "POST /api/imports": Scope.IMPORTS_WRITE,
    "GET /api/imports/<import_id>/errors": Scope.IMPORTS_WRITE,
    "GET /api/alerts/config": Scope.ALERTS_READ,
    "POST /api/alerts/config": Scope.ALERTS_WRITE,
    "GET /api/destinations": Scope.ALERTS_READ,
    "POST /api/destinations": Scope.ALERTS_WRITE,
    "GET /api/destinations/<destination_id>": Scope.ALERTS_READ,
    "PATCH /api/destinations/<destination_id>": Scope.ALERTS_WRITE,
    "DELETE /api/destinations/<destination_id>": Scope.ALERTS_WRITE,
    "POST /api/destinations/<destination_id>/test": Scope.ALERTS_WRITE,
    "GET /api/deliveries": Scope.ALERTS_READ,
    "GET /api/deliveries/<delivery_id>": Scope.ALERTS_READ,
    "POST /api/deliveries/<delivery_id>/resend": Scope.ALERTS_WRITE,
    "GET /api/experiments": Scope.EXPERIMENTS_READ,
    "POST /api/experiments": Scope.EXPERIMENTS_WRITE,
    "GET /api/experiments/holdout": Scope.EXPERIMENTS_READ,
    "POST /api/experiments/holdout": Scope.EXPERIMENTS_WRITE,
    "GET /api/experiments/<experiment>": Scope.EXPERIMENTS_READ,
    "PATCH /api/experiments/<experiment>": Scope.EXPERIMENTS_WRITE,
    "POST /api/experiments/<experiment>/start": Scope.EXPERIMENTS_WRITE,
    "POST /api/experiments/<experiment>/pause": Scope.EXPERIMENTS_WRITE,
    "POST /api/experiments/<experiment>/stop": Scope.EXPERIMENTS_WRITE,
    "POST /api/experiments/<experiment>/decide": Scope.EXPERIMENTS_WRITE,
    "GET /api/experiments/<experiment>/power": Scope.EXPERIMENTS_READ,
    "GET /api/experiments/<experiment>/results": Scope.EXPERIMENTS_READ,
    "GET /api/experiments/<experiment>/rows": Scope.EXPERIMENTS_READ,
    "GET /api/widget/config": OPEN,
    "GET /health": OPEN,
    "GET /metrics": OPEN,
    "GET /api/openapi.json": OPEN,
    "GET /docs": OPEN,
    "GET /docs/<name>": OPEN,
}
# Pages of the widget and the plain chat carry no lead but the visitor's own, by cookie; a page
# behind a link carries what its secret opens, and every other one of the console asks who it is.
PAGES = ("/console", "/told", "/calendar", "/chat", "/widget", "/assets", "/demo")
# Addresses of older systems: they name the page that took their place, to everybody.
MOVED = ("/dashboard-enhanced/", "/leads/kanban/", "/leads/performance/", "/leads/source-heatmap/")
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/answer": {"question_id": 2, "answer_text": "Pune"},
    "POST /api/behavior": {"action": "website_visit"},
    "POST /api/lead/profile": {"profile_data": {"name": "Ann"}},
    "POST /api/ab-test/conversion": {"test_name": "greeting_message", "conversion_type": "click"},
    "POST /api/leads": {"name": "Ann"},
    "PATCH /api/leads/<lead_id>": {"name": "Ann"},
    "POST /api/leads/<lead_id>/activities": {"kind": "call"},
    "POST /api/leads/<lead_id>/follow-ups": {"due_at": "2026-12-01T09:00:00Z"},
    "POST /api/leads/<lead_id>/outcome": {"outcome": "won"},
    "POST /api/predict": {"rows": [{"points.demo_requested": 15}]},
    "POST /api/alerts/config": {"enable_slack": True},
    "POST /api/models/config": {"fair_chance_percent": 5},
    "POST /api/destinations": {"channel": "webhook", "address": "https://example.com/hook"},
    "PATCH /api/destinations/<destination_id>": {"name": "Sales"},
    "POST /api/experiments/holdout": {"share": 0},
    "PATCH /api/experiments/<experiment>": {"description": "A greeting."},
    "POST /api/experiments/<experiment>/decide": {"arm": "A"},
}
# A form in place of JSON, and its type.
PART = b'--X\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
FORM = PART + b"name\r\nAnn\r\n--X--\r\n"
FORMS = {"POST /api/imports": {"data": FORM, "content_type": "multipart/form-data; boundary=X"}}
EXPERIMENT: dict[str, Any] = {
    "kind": "greeting",
    "metric": "sql",
    "arms": [{"arm": "A"}, {"arm": "B", "config": {"greeting": "Good to see you!"}}],
}
# How far an experiment must have come for each step.
STEPS_BEFORE = {"pause": ("start",), "stop": ("start",), "decide": ("start", "stop")}
# What holds a scope may read beside what it writes.
INCLUDED = {
    Scope.LEADS_READ: {Scope.LEADS_READ, Scope.LEADS_WRITE},
    Scope.ALERTS_READ: {Scope.ALERTS_READ, Scope.ALERTS_WRITE},
    Scope.PREDICTIONS_READ: {Scope.PREDICTIONS_READ, Scope.PREDICTIONS_WRITE},
    Scope.MODELS_READ: {Scope.MODELS_READ, Scope.MODELS_WRITE},
    Scope.EXPERIMENTS_READ: {Scope.EXPERIMENTS_READ, Scope.EXPERIMENTS_WRITE},
}


def routes(app: Flask) -> list[str]:
    """Every rule with each of its methods, but those that answer of themselves."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule in ("/", *MOVED) or rule.rule.startswith(PAGES):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found.append(f"{method} {rule.rule}")
    return sorted(found)


def test_every_route_has_its_row_in_the_policy(small: Shop) -> None:
    assert routes(small.app) == sorted(POLICY)


def test_every_route_lets_in_whom_the_policy_names_and_nobody_else(ours: Shop) -> None:
    wrong = []
    asked = 0
    callers = everybody(ours)
    for route in sorted(POLICY):
        for who in callers:
            asked += 1
            status, masked = _ask(ours, route, who)
            if not _is_right(POLICY[route], who, status, masked):
                wrong.append(f"{route} by {who.name}: {status}, masked={masked}")

    assert wrong == []
    assert asked > 400


def test_an_older_address_only_names_its_new_page(small: Shop) -> None:
    for path in MOVED:
        reply = small.app.test_client().get(path)
        assert reply.status_code in (301, 308), path
        assert reply.headers["Location"].startswith("/console/"), path


def test_a_method_that_a_route_does_not_take_is_refused_for_everybody(small: Shop) -> None:
    taken: dict[str, set[str]] = {}
    for route in POLICY:
        method, rule = route.split(" ", 1)
        taken.setdefault(rule, set()).add(method)
    # For the other methods "refresh" is read as the id of a lead that is not there.
    taken["/api/leads/refresh"] |= taken["/api/leads/<lead_id>"]
    for page in ("train", "config", "comparison"):
        taken[f"/api/models/{page}"] |= taken["/api/models/<model_id>"]
    taken["/api/experiments/holdout"] |= taken["/api/experiments/<experiment>"]
    who = next(one for one in everybody(small) if one.name == "admin")
    for rule, methods in taken.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "LOCK"} - methods:
            status, _ = _ask(small, f"{method} {rule}", who)
            assert status == 405, f"{method} {rule}: {status}"


@pytest.mark.parametrize("setting", ["off", "full"])
def test_reading_is_closed_or_opened_as_the_operator_chose(
    sqlite_url: str, tmp_path: Any, setting: str
) -> None:
    from tests.shop import shop

    with shop(sqlite_url, tmp_path, PUBLIC_READ=setting) as here:
        session = here.start()["session_id"]
        client = here.app.test_client()
        opened = ("/api/analytics/leads", "/api/leads", f"/api/lead/export/{session}")
        reads = (f"/api/lead/summary/{session}", f"/api/score/{session}")
        wanted = 401 if setting == "off" else 200
        for path in (*reads, *opened):
            assert client.get(path).status_code == wanted, path
        for path in (*reads, *opened):
            # A page elsewhere that made its own name lead to this machine.
            reply = client.get(path, headers={"Host": "evil.example.com"})
            assert reply.status_code == 401 or reply.json.get("masked") is True, path
        assert client.get("/api/leads/1").status_code == 401
        assert client.post("/api/leads", json={"name": "x"}).status_code == 401


def test_a_key_opens_nothing_once_it_is_past_its_time(small: Shop) -> None:
    key = small.new_key("admin", expires_at=START + timedelta(seconds=60))
    headers = {"Authorization": f"Bearer {key}"}
    client = small.app.test_client()

    before = client.get("/api/leads", headers=headers).status_code
    small.clock.advance(60)  # type: ignore[attr-defined]
    after = client.get("/api/leads", headers=headers).status_code

    assert (before, after) == (200, 401)


def _ask(ours: Shop, route: str, who: Principal) -> tuple[int, bool | None]:
    """The status and mask of a good request, on a lead of its own so that order cannot matter."""
    method, rule = route.split(" ", 1)
    path = rule.replace("<session_id>", who.session)
    if "<lead_id>" in rule:
        lead_id = who.lead()
        path = path.replace("<lead_id>", str(lead_id))
    if "<follow_up_id>" in rule:
        path = path.replace("<follow_up_id>", _follow_up(ours, lead_id))
    if "<model_id>" in rule:
        path = path.replace("<model_id>", _model(ours))
    for place in ("<destination_id>", "<delivery_id>", "<job_id>", "<import_id>"):
        if place in rule:
            path = path.replace(place, _made(ours)[place])
    path = path.replace("<test_name>", "greeting_message").replace("<name>", "page.css")
    body = BODIES.get(route, {})
    if "<experiment>" in rule:
        path = path.replace("<experiment>", _experiment(ours, rule.rpartition("/")[2]))
    if route == "POST /api/experiments":
        body = {**EXPERIMENT, "name": f"e{secrets.token_hex(6)}"}
    if method == "POST" and "/api/leads" not in rule:
        body = {"session_id": who.session, **body}
    sent = FORMS.get(route) or ({"json": body} if method in ("POST", "PATCH") else {})
    reply = ours.app.test_client().open(path, method=method, headers=who.headers, **sent)
    said = reply.get_json(silent=True) if reply.is_json else None
    reply.close()
    return reply.status_code, said.get("masked", False) if isinstance(said, dict) else None


def _model(ours: Shop) -> str:
    """A model that may be promoted."""
    with ours.unit() as services:
        stored = services.predictions.store.list_cards()
    if not stored:
        train_now(ours.resources, by="tests")
        return _model(ours)
    return str(stored[0]["id"])


def _follow_up(ours: Shop, lead_id: int) -> str:
    """A follow-up that stands in this lead's diary."""
    with ours.unit() as services:
        due_at = ours.clock.now() + timedelta(days=1)
        return str(services.diary.set_follow_up(lead_id, due_at, actor="tests")["id"])


def _experiment(ours: Shop, step: str) -> str:
    """The name of an experiment that this step may be taken with; no other one runs beside it."""
    name = f"e{secrets.token_hex(6)}"
    with ours.unit() as services:
        book = services.experiment_book
        for one in book.list_all()["experiments"]:
            if one["source"] == "api" and one["status"] in ("running", "paused"):
                book.stop(one["name"], who="tests")
        book.create({**EXPERIMENT, "name": name}, who="tests")
        for before in STEPS_BEFORE.get(step, ()):
            getattr(book, before)(name, who="tests")
    return name


def _made(ours: Shop) -> dict[str, str]:
    """A destination, a delivery to it and a job, new each time."""
    address = {"channel": "webhook", "address": "https://example.com/hook"}
    who = DestinationWho("tests", is_operator=True)
    with ours.unit() as services:
        for row in services.destinations.list_all()["destinations"]:
            services.destinations.remove(row["id"], who=who)
        place = services.destinations.add(address, who=who)["id"]
        delivery = services.destinations.test(place, who=who)["delivery_id"]
        job = services.jobs.request("leads.refresh", requested_by="tests")["job_id"]
        with closing(pack(BytesIO(b"name\nAnn\n"))) as file:
            table = services.imports.begin(file, actor="tests")["job_id"]
        kept = services.session.get(Job, table)
        made = {"<job_id>": job, "<import_id>": kept.payload["import"] if kept else ""}
    return {"<destination_id>": place, "<delivery_id>": delivery, **made}


def _is_right(policy: str | Scope, who: Principal, status: int, masked: bool | None) -> bool:
    if policy == BY_KIND and who.is_known:
        # The job that is asked about scores leads anew.
        reads = who.scope in (Scope.LEADS_READ, Scope.LEADS_WRITE, Scope.ADMIN)
        return status == (200 if reads else 404)
    if policy == OPEN:
        return status in (200, 201)
    if policy == READ:
        return (status, masked) == _reading(who)
    if not who.is_known:
        return status == 401
    wanted = INCLUDED.get(Scope(policy), {Scope(policy)}) | {Scope.ADMIN}
    return status in ((200, 201, 202) if who.scope in wanted else (403,))


def _reading(who: Principal) -> tuple[int, bool]:
    """What a read of a session gives to each: everything, the masked view, or a refusal."""
    fixed = {
        "bare": (200, True),
        "visitor, own token": (200, False),
        "visitor, other's token": (403, False),
        # Whole and in time, so it may be another session's; what it is not, nobody is told.
        "bad token": (403, False),
    }
    if who.name in fixed:
        return fixed[who.name]
    if not who.is_known:
        return 401, False
    reads = who.scope in (Scope.LEADS_READ, Scope.LEADS_WRITE, Scope.ADMIN)
    return (200 if reads else 403), False
