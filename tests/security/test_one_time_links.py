"""Links that open once: whoever comes second, late, or as somebody else finds them closed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

import errors
from models import OneTimeLink, Person
from services.one_time_links import LIVES, Purpose
from services.password import hashed
from tests.api.conftest import at_once
from tests.console.office import Office, office

PASSWORD = "four grey geese fly"
HASH = hashed(PASSWORD)
FORM = {"email": "olga@example.com", "name": "Olga", "password": PASSWORD}


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


def _link(ours: Office, purpose: Purpose) -> str:
    """The token of a link: for the first admin, for somebody invited, for a new password."""
    with ours.unit() as services:
        if purpose is Purpose.SET_UP:
            return str(services.links.make_set_up(by="tests"))
        person, token = services.people.invite(
            "eve@example.com", name="Eve", role="viewer", by="tests"
        )
        if purpose is Purpose.RESET:
            services.people.come_in(token, password_hash=HASH, name="Eve")
            token = services.people.make_link(person, by="tests")
        return token


def _post(ours: Office, token: str, **more: str) -> int:
    form = {**FORM, **more}
    return ours.app.test_client().post(f"/console/link/{token}", data=form).status_code


def _people(ours: Office) -> list[tuple[str, str]]:
    everybody = select(Person.email, Person.role).order_by(Person.id)
    return [tuple(one) for one in ours.ask(lambda s: s.session.execute(everybody).all())]


def _while_open(ours: Office, first: str, second: str) -> Any:
    """What comes of the second link, opened while whoever has the first is not yet done."""
    found: list[Any] = []

    def come_second() -> None:
        try:
            with ours.unit() as services:
                found.append(services.people.come_in(second, password_hash=HASH, **_who("second")))
        except errors.LeadlineError as error:
            found.append(error)

    late = threading.Thread(target=come_second)
    with ours.unit() as services:
        services.people.come_in(first, password_hash=HASH, **_who("first"))
        late.start()
        # Long enough to run into whatever stops it; a slower machine only makes it come later.
        late.join(0.3)
    late.join(30)
    return found[0]


def _who(name: str) -> dict[str, str]:
    return {"email": f"{name}@example.com", "name": name}


@pytest.mark.parametrize("purpose", Purpose)
def test_of_two_who_come_at_once_one_is_let_in(ours: Office, purpose: Purpose) -> None:
    token = _link(ours, purpose)

    statuses = at_once(*[lambda: _post(ours, token)] * 3)

    assert sorted(statuses) == [303, 404, 404]
    assert len(_people(ours)) == 1


@pytest.mark.parametrize("purpose", Purpose)
def test_who_comes_while_it_is_being_used_is_refused(ours: Office, purpose: Purpose) -> None:
    token = _link(ours, purpose)

    refused = _while_open(ours, token, token)

    assert isinstance(refused, errors.NotFound) and refused.code == "link_used"
    assert len(_people(ours)) == 1


def test_of_two_servers_set_up_links_one_makes_an_admin(ours: Office) -> None:
    older, newer = _link(ours, Purpose.SET_UP), _link(ours, Purpose.SET_UP)
    with ours.unit() as services:
        # As where two servers start at one moment, and neither sees the other's link.
        alive = ours.clock.now() + timedelta(minutes=20)
        services.session.execute(update(OneTimeLink).values(expires_at=alive))

    refused = _while_open(ours, older, newer)

    assert isinstance(refused, errors.NotFound) and refused.code == "link_used"
    assert _people(ours) == [("first@example.com", "admin")]


def test_a_link_stays_bound_to_whom_and_what_it_was_made_for(small: Office) -> None:
    token = _link(small, Purpose.INVITATION)

    assert _post(small, token, email="mallory@example.com", role="admin", person_id="1") == 303

    assert _people(small) == [("eve@example.com", "viewer")]


def test_another_role_given_meanwhile_is_the_role_one_comes_in_with(small: Office) -> None:
    token = _link(small, Purpose.INVITATION)
    person = small.hire("Eve", "viewer")
    with small.unit() as services:
        services.people.change(person, {"role": "sales"}, by="alice@example.com")

    assert _post(small, token) == 303
    assert _people(small) == [("eve@example.com", "sales")]


def _use(ours: Office, token: str) -> None:
    assert _post(ours, token) == 303


def _wait(ours: Office, token: str) -> None:
    ours.clock.advance(max(LIVES.values()).total_seconds())  # type: ignore[attr-defined]


def _disable(ours: Office, token: str) -> None:
    with ours.unit() as services:
        services.people.disable(services.people.get_id("eve@example.com"), by="tests")


def _disable_and_enable(ours: Office, token: str) -> None:
    _disable(ours, token)
    with ours.unit() as services:
        services.people.enable(services.people.get_id("eve@example.com"), by="tests")


def _make_another(ours: Office, token: str) -> None:
    with ours.unit() as services:
        services.people.make_link(services.people.get_id("eve@example.com"), by="tests")


ENDS = (_use, _wait, _disable, _disable_and_enable, _make_another)


@pytest.mark.parametrize("end", ENDS, ids=lambda one: one.__name__.strip("_"))
@pytest.mark.parametrize("purpose", [Purpose.INVITATION, Purpose.RESET])
def test_a_link_that_is_over_opens_nothing(
    small: Office, purpose: Purpose, end: Callable[[Office, str], None]
) -> None:
    token = _link(small, purpose)
    end(small, token)

    client = small.app.test_client()
    page = client.get(f"/console/link/{token}")

    assert page.status_code == 404 and "New password" not in page.text
    assert _post(small, token, password="five green frogs jump") == 404
    signed_in = client.post(
        "/console/sign-in", data={"email": "eve@example.com", "password": "five green frogs jump"}
    )
    assert signed_in.status_code == 422


def test_a_new_password_ends_every_other_session_and_link(ours: Office) -> None:
    token = _link(ours, Purpose.RESET)
    eve = ours.visit("Eve", "viewer")
    assert eve.get("/console/profile").status_code == 200
    here = ours.app.test_client()

    here.post(f"/console/link/{token}", data={"password": "five green frogs jump"})

    assert here.get("/console/profile").status_code == 200
    assert eve.get("/console/profile").status_code == 303
    assert eve.client.get("/api/experiments").status_code == 401
