"""One's own profile: name, time zone, password, and the browsers in which one is signed in."""

from __future__ import annotations

import marshmallow
from flask import Response, g
from marshmallow import fields, validate

import errors
from lib.clock import zone_places
from services import unit_of_work
from services.password import SHORTEST, check_choice, hashed, is_right
from services.people_service import LONGEST_NAME
from web.console import wording
from web.console.access import LONGEST_TYPED, count_try
from web.console.frame import Pages, go_to, me, read, show
from web.console.notes import say
from web.unit_of_work import resources, services

pages = Pages("profile", __name__)

HERE = "console_profile.profile"


class ProfileIn(marshmallow.Schema):
    """How somebody is called, and by which clock they read."""

    name = fields.String(required=True, validate=validate.Length(max=LONGEST_NAME))
    time_zone = fields.String(load_default=None, validate=validate.Length(max=64))


class PasswordIn(marshmallow.Schema):
    """The password so far, and another one."""

    current_password = fields.String(required=True, validate=validate.Length(max=LONGEST_TYPED))
    password = fields.String(required=True, validate=validate.Length(max=LONGEST_TYPED))


@pages.page("/profile", needs=None)
def profile() -> str:
    """Who one is here, and in which browsers one is signed in."""
    return show(
        "profile.html",
        browsers=services().sign_ins.list_of(me().person_id),
        zones=zone_places(),
        workspace_zone=wording.workspace().time_zone,
        shortest=SHORTEST,
    )


@pages.page("/profile", methods=("POST",), needs=None, again=profile)
def change_profile() -> Response:
    """Another name or time zone."""
    said = read(ProfileIn)
    services().people.change_profile(me().person_id, name=said["name"], time_zone=said["time_zone"])
    say("Your profile is saved.")
    return go_to(HERE)


def _check_and_hash() -> None:
    """Both passwords are looked at while no transaction is open."""
    said, person = read(PasswordIn), me()
    count_try(person.email)
    with unit_of_work(resources(), read_only=True) as here:
        login = here.people.login_of(person.person_id)
    if not is_right(login.password_hash, said["current_password"]):
        raise errors.invalid_field("current_password", "This is not your password.")
    check_choice(said["password"], email=login.email, name=login.name)
    g.password_hash = hashed(said["password"])


@pages.page(
    "/profile/password", methods=("POST",), needs=None, again=profile, before=_check_and_hash
)
def change_password() -> Response:
    """Another password; every other browser is signed out."""
    person = me()
    services().login_guard.forgive(person.email)
    services().people.change_password(person.person_id, g.password_hash, here=person.session_id)
    say("Your password is changed. Other browsers are signed out.")
    return go_to(HERE)


@pages.page("/profile/browsers/<int:session_id>/end", methods=("POST",), needs=None)
def end_browser(session_id: int) -> Response:
    """One other browser of one's own is signed out."""
    mine = services().sign_ins.list_of(me().person_id)
    if session_id not in {one.session_id for one in mine}:
        raise errors.NotFound("You are not signed in there any more.")
    services().sign_ins.end(session_id)
    services().accounts.audit(me().email, "session.ended", f"person {me().person_id}", {})
    say("That browser is signed out.")
    return go_to(HERE)


@pages.page("/profile/browsers/end-others", methods=("POST",), needs=None)
def end_other_browsers() -> Response:
    """Every browser but this one is signed out."""
    services().sign_ins.end_all(me().person_id, but=me().session_id)
    services().accounts.audit(me().email, "session.others_ended", f"person {me().person_id}", {})
    say("Every other browser is signed out.")
    return go_to(HERE)
