"""How far a job is, is told to whom its kind concerns and to who asked for it, and to no other."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from jobs.tasks import KINDS, Worker
from tests.console.office import Office, office
from tests.shop import bearer

TABLE = b"name\nAnn\n"
# Who may watch a job of each kind that somebody else asked for: scopes of keys, roles of people.
WATCHERS: dict[str, tuple[set[str], set[str]]] = {
    "leads.refresh": ({"leads:read", "leads:write"}, {"marketer", "viewer"}),
    "leads.import": ({"imports:write"}, set()),
    "leads.bulk": (set(), set()),
    "leads.predict": ({"predictions:read", "predictions:write"}, {"marketer", "viewer"}),
    "models.train": ({"models:read", "models:write"}, {"marketer", "viewer"}),
    "workflow.try": (set(), {"marketer", "viewer"}),
}


@pytest.fixture
def ours(database_url: str, tmp_path: Path) -> Iterator[Office]:
    """The office on both databases."""
    with office(database_url, tmp_path) as found:
        yield found


@pytest.fixture
def small(sqlite_template: Path, tmp_path: Path) -> Iterator[Office]:
    """The office on SQLite."""
    file = tmp_path / "office.db"
    file.write_bytes(sqlite_template.read_bytes())
    with office(f"sqlite:///{file}", tmp_path) as found:
        yield found


def _job(ours: Office, kind: str, by: str = "somebody") -> str:
    with ours.unit() as services:
        return str(services.jobs.request(kind, requested_by=by)["job_id"])


def test_a_key_watches_the_kinds_of_its_scopes(small: Office) -> None:
    jobs = {kind: _job(small, kind) for kind in KINDS}
    client = small.app.test_client()
    for scope in ("leads:read", "imports:write", "predictions:read", "models:write", "admin"):
        headers = bearer(small.new_key(scope))
        for kind, job in jobs.items():
            reply = client.get(f"/api/jobs/{job}", headers=headers)
            scopes = WATCHERS.get(kind, (set(), set()))[0]
            assert reply.status_code == (200 if scope in scopes | {"admin"} else 404), (scope, kind)
            if reply.status_code == 404:
                assert reply.json["error"]["code"] == "unknown_job"


def test_a_person_watches_what_their_role_concerns_and_what_they_asked_for(small: Office) -> None:
    people = {
        "admin": small.alice,
        "marketer": small.mark,
        "sales": small.sam,
        "viewer": small.vera,
    }
    for kind in KINDS:
        foreign = _job(small, kind)
        for role, visit in people.items():
            may = role == "admin" or role in WATCHERS.get(kind, (set(), set()))[1]
            own = _job(small, kind, by=visit.person)
            assert visit.get(f"/api/jobs/{own}").status_code == 200, (kind, role)
            status = visit.get(f"/api/jobs/{foreign}").status_code
            assert status == (200 if may else 404), (kind, role)


def test_nobody_who_is_unknown_watches_anything(small: Office) -> None:
    job, client = _job(small, "leads.refresh"), small.app.test_client()

    assert client.get(f"/api/jobs/{job}").status_code == 401
    bad = bearer("lk_23456789_" + "a" * 43)
    assert client.get(f"/api/jobs/{job}", headers=bad).status_code == 401


@pytest.mark.parametrize("way", ["refresh", "import", "train"])
def test_the_key_that_began_a_job_sees_its_end(ours: Office, way: str) -> None:
    ours.enter_lead()
    sent: dict[str, tuple[str, str, dict[str, Any]]] = {
        "refresh": ("leads:write", "/api/leads/refresh", {}),
        "import": (
            "imports:write",
            "/api/imports",
            {"data": {"file": (BytesIO(TABLE), "leads.csv")}},
        ),
        "train": ("models:write", "/api/models/train", {}),
    }
    scope, path, more = sent[way]
    headers, client = bearer(ours.new_key(scope)), ours.app.test_client()

    begun = client.post(path, headers=headers, **more)
    assert begun.status_code == 202, begun.text
    while Worker(ours.resources).work():
        pass
    seen = client.get(begun.headers["Location"], headers=headers)

    assert seen.status_code == 200 and seen.json["status"] == "done", seen.text


def test_the_page_of_a_change_of_many_leads_is_its_owners(small: Office) -> None:
    job = _job(small, "leads.bulk", by="sam@example.com")
    other = _job(small, "leads.refresh", by="sam@example.com")

    assert small.sam.get(f"/console/leads/bulk/{job}").status_code == 200
    assert small.alice.get(f"/console/leads/bulk/{job}").status_code == 200
    assert small.sue.get(f"/console/leads/bulk/{job}").status_code == 404
    assert small.sam.get(f"/console/leads/bulk/{other}").status_code == 404
