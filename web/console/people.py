"""People: who works here, what they may do, and how many leads they get."""

from __future__ import annotations

import marshmallow
from flask import Response
from marshmallow import fields, validate

from engine.policy import Permission, Role
from services.one_time_links import LIVES, Purpose
from services.people_service import (
    LONGEST_EMAIL,
    LONGEST_NAME,
    MOST_CAPACITY,
    MOST_WEIGHT,
    Colleague,
)
from web.console.frame import Pages, go_to, me, read, show
from web.console.notes import say
from web.console.one_time import link_to
from web.unit_of_work import services

pages = Pages("people", __name__)

ROLES = (
    (Role.SALES, "Sales: works their own leads and those of nobody"),
    (Role.MARKETER, "Marketer: tunes the bot, sees figures, no names"),
    (Role.VIEWER, "Viewer: sees figures and masked leads, changes nothing"),
    (Role.ADMIN, "Admin: everything, people and keys included"),
)


class InviteIn(marshmallow.Schema):
    """Somebody new."""

    email = fields.String(required=True, validate=validate.Length(max=LONGEST_EMAIL))
    name = fields.String(required=True, validate=validate.Length(max=LONGEST_NAME))
    role = fields.String(required=True, validate=validate.OneOf([str(one) for one in Role]))


class ChangeIn(marshmallow.Schema):
    """What somebody may do, and how many leads they get."""

    role = fields.String(required=True, validate=validate.OneOf([str(one) for one in Role]))
    weight = fields.Integer(required=True, validate=validate.Range(0, MOST_WEIGHT))
    capacity = fields.Integer(load_default=None, validate=validate.Range(0, MOST_CAPACITY))


@pages.page("/people", needs=Permission.ADMIN)
def people() -> str:
    """Everybody who works here."""
    return show("people/list.html", people=services().people.list_all(), roles=ROLES)


@pages.page("/people", methods=("POST",), needs=Permission.ADMIN, again=people)
def invite() -> str:
    """Somebody new, and the link to give them; it is shown this once."""
    said = read(InviteIn)
    person_id, token = services().people.invite(
        said["email"], name=said["name"], role=said["role"], by=me().email
    )
    colleague = services().people.get(person_id)
    mail = services().account_mail
    if mail.can_send():
        mail.ask_invitation(colleague.email, by=me().email)
    return _shown(colleague, token, is_mailed=mail.can_send())


@pages.page("/people/<int:person_id>", needs=Permission.ADMIN)
def person(person_id: int) -> str:
    """One person, with what can be changed."""
    colleague = services().people.get(person_id)
    return show("people/person.html", person=colleague, roles=ROLES)


@pages.page("/people/<int:person_id>", methods=("POST",), needs=Permission.ADMIN, again=person)
def change(person_id: int) -> Response:
    """Another role, weight or capacity."""
    services().people.change(person_id, read(ChangeIn), by=me().email)
    say("Saved.")
    # Who took the role from themselves lands at the door.
    return go_to("console_people.people")


@pages.page("/people/<int:person_id>/link", methods=("POST",), needs=Permission.ADMIN)
def make_link(person_id: int) -> str:
    """A fresh link for somebody who lost theirs, or forgot the password; shown this once."""
    token = services().people.make_link(person_id, by=me().email)
    return _shown(services().people.get(person_id), token, is_mailed=False)


@pages.page("/people/<int:person_id>/disable", methods=("POST",), needs=Permission.ADMIN)
def disable(person_id: int) -> Response:
    """This person may not come in any more."""
    services().people.disable(person_id, by=me().email)
    say("Disabled, and signed out everywhere.", undo=f"/console/people/{person_id}/enable")
    return go_to("console_people.people")


@pages.page("/people/<int:person_id>/enable", methods=("POST",), needs=Permission.ADMIN)
def enable(person_id: int) -> Response:
    """This person may come in again."""
    services().people.enable(person_id, by=me().email)
    say("Enabled: the password is the one from before.")
    return go_to("console_people.people")


def _shown(colleague: Colleague, token: str, *, is_mailed: bool) -> str:
    purpose = Purpose.INVITATION if colleague.state == "invited" else Purpose.RESET
    return show(
        "people/link.html",
        person=colleague,
        link=link_to(token),
        hours=int(LIVES[purpose].total_seconds() // 3600),
        is_mailed=is_mailed,
    )
