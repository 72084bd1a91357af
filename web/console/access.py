"""Coming in and going out: sign in, sign out, the first page; a new password by e-mail."""

from __future__ import annotations

import marshmallow
import structlog
from flask import Response, g, request
from marshmallow import fields, validate

import errors
from services import unit_of_work
from services.login_guard import account_mark
from services.password import is_right
from services.people_service import LONGEST_EMAIL
from web.console import navigation
from web.console.browsers import told_apart
from web.console.frame import Pages, go, is_path_of_ours, me, read, show
from web.limits import address_key
from web.sign_in import forget_cookie, keep_cookie, signed_in
from web.unit_of_work import resources, services

pages = Pages("access", __name__)
log = structlog.get_logger(__name__)

LONGEST_TYPED = 1000
# The same for an account that there is and for one that there is not.
WRONG = "E-mail or password is not right."


class SignInIn(marshmallow.Schema):
    """Who somebody says they are."""

    email = fields.String(required=True, validate=validate.Length(max=LONGEST_EMAIL))
    password = fields.String(required=True, validate=validate.Length(max=LONGEST_TYPED))


class ForgottenIn(marshmallow.Schema):
    """Whose password is forgotten."""

    email = fields.String(required=True, validate=validate.Length(max=LONGEST_EMAIL))


@pages.page("", needs=None)
def first() -> Response:
    """On to the first page of this person."""
    return go(navigation.home(me()))


@pages.page("/sign-in", needs=None, is_public=True)
def sign_in() -> str | Response:
    """The form of e-mail and password."""
    return go(_onward()) if signed_in() is not None else _sign_in_form()


def _sign_in_form() -> str:
    return show("sign_in.html", onward=_onward())


def _check_password() -> None:
    """Counts the try, then looks at the password, while nobody's transaction waits for it."""
    said, ours = read(SignInIn), resources()
    count_try(said["email"])
    with unit_of_work(ours, read_only=True) as here:
        login = here.people.find_login(said["email"])
    if not is_right(login.password_hash if login else None, said["password"]):
        log.warning("a sign-in was refused")
        raise errors.Invalid(WRONG, code="wrong_password")
    g.login = login


@pages.page(
    "/sign-in",
    methods=("POST",),
    needs=None,
    is_public=True,
    again=_sign_in_form,
    before=_check_password,
)
def enter() -> Response:
    """This browser is signed in, by a secret that it did not have before."""
    services().login_guard.forgive(g.login.email)
    services().accounts.audit(g.login.email, "person.signed_in", f"person {g.login.person_id}", {})
    return let_in(g.login.person_id, _onward())


@pages.page("/sign-out", methods=("POST",), needs=None)
def sign_out() -> Response:
    """This browser is signed out."""
    services().sign_ins.end(me().session_id)
    services().accounts.audit(me().email, "person.signed_out", f"person {me().person_id}", {})
    reply = go("/console/sign-in")
    forget_cookie(reply)
    return reply


@pages.page("/forgotten", needs=None, is_public=True)
def forgotten() -> str:
    """Where to get a new password, with mail or without."""
    return show("forgotten.html", can_send=services().account_mail.can_send(), asked=False)


def _count_request() -> None:
    count_try(f"forgotten: {read(ForgottenIn)['email']}")


@pages.page(
    "/forgotten",
    methods=("POST",),
    needs=None,
    is_public=True,
    again=forgotten,
    before=_count_request,
)
def send_link() -> str:
    """A letter with a link goes out, if there is such an account; the reply is always the same."""
    email = read(ForgottenIn)["email"]
    mail = services().account_mail
    if not mail.can_send():
        raise errors.Conflict("This Leadline sends no e-mail.")
    mail.ask_reset(email)
    # By its mark alone, for the log must not tell whether there is such an account either.
    services().accounts.audit(
        "sign-in page", "person.link_asked", f"account {account_mark(email)[:12]}", {}
    )
    return show("forgotten.html", can_send=True, asked=True)


def count_try(account: str) -> None:
    """Counts one try to come in, in a transaction of its own: an error must not undo it."""
    with unit_of_work(resources()) as here:
        here.login_guard.admit(account, address_key())


def let_in(person_id: int, path: str) -> Response:
    """On to a page of ours, signed in; what this browser was signed in as before is over."""
    before = signed_in()
    if before is not None:
        services().sign_ins.end(before.session_id)
    token = services().sign_ins.begin(
        person_id,
        browser=told_apart(request.user_agent.string),
        address=request.remote_addr or "unknown",
    )
    reply = go(path)
    keep_cookie(reply, token)
    return reply


def _onward() -> str:
    """Where somebody wanted to go; only to a page of ours."""
    path = request.args.get("next", "")
    return path if is_path_of_ours(path) else "/console"
