"""Pages behind a one-time link: the first admin, an invitation, a new password."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response, g, make_response, request
from marshmallow import fields, validate

import errors
from services import unit_of_work
from services.account_mail import LINK
from services.one_time_links import Door, Purpose
from services.password import SHORTEST, check_choice, hashed
from services.people_service import LONGEST_EMAIL, LONGEST_NAME
from web.console.access import LONGEST_TYPED, let_in
from web.console.frame import Pages, read, show
from web.unit_of_work import resources, services

pages = Pages("one_time", __name__)


class ResetIn(marshmallow.Schema):
    """A new password."""

    password = fields.String(required=True, validate=validate.Length(max=LONGEST_TYPED))


class InvitationIn(ResetIn):
    """How somebody who was invited is called, and their password."""

    name = fields.String(required=True, validate=validate.Length(max=LONGEST_NAME))


class SetUpIn(InvitationIn):
    """The first admin."""

    email = fields.String(required=True, validate=validate.Length(max=LONGEST_EMAIL))


FORMS: dict[Purpose, type[marshmallow.Schema]] = {
    Purpose.SET_UP: SetUpIn,
    Purpose.INVITATION: InvitationIn,
    Purpose.RESET: ResetIn,
}


@pages.page("/link/<token>", needs=None, is_public=True)
def link(token: str) -> str | Response:
    """What the link is for; opening it here uses nothing up, for mail programs open links too."""
    try:
        door = services().links.look(token)
    except errors.NotFound as error:
        return make_response(show("link_closed.html", message=error.message), 404)
    return show("link.html", door=door, token=token, Purpose=Purpose, shortest=SHORTEST)


def _hash_password(token: str) -> None:
    """The password is judged and hashed while no transaction is open, for a good link only."""
    with unit_of_work(resources(), read_only=True) as here:
        door = here.links.look(token)
    said = _said(door)
    check_choice(said["password"], email=said["email"], name=said["name"])
    g.chosen = {**said, "password_hash": hashed(said["password"])}


@pages.page(
    "/link/<token>",
    methods=("POST",),
    needs=None,
    is_public=True,
    again=link,
    before=_hash_password,
)
def open_link(token: str) -> Response:
    """The link is used: its person has a password, and is signed in in this browser."""
    chosen = g.chosen
    _, person_id = services().people.come_in(
        token,
        password_hash=chosen["password_hash"],
        email=chosen["email"],
        name=chosen["name"],
    )
    services().login_guard.forgive(services().people.login_of(person_id).email)
    return let_in(person_id, "/console")


def link_to(token: str) -> str:
    """The whole address of a link, for the eyes of who made it."""
    base = resources().settings.APP_URL or request.host_url.rstrip("/")
    return f"{base}{LINK}{token}"


def _said(door: Door) -> dict[str, Any]:
    said = read(FORMS[door.purpose])
    return {"email": said.get("email", door.email), "name": said.get("name", ""), **said}
