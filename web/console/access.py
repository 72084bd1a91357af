"""Coming in and going out: sign in, sign out, the first page, one's own profile."""

from __future__ import annotations

from flask import Response, request

from web.console import navigation
from web.console.frame import Pages, go, is_path_of_ours, me, show
from web.sign_in import forget_cookie, signed_in
from web.unit_of_work import services

pages = Pages("access", __name__)


@pages.page("", needs=None)
def first() -> Response:
    """On to the first page of this person."""
    return go(navigation.home(me()))


@pages.page("/sign-in", needs=None, is_public=True)
def sign_in() -> str | Response:
    """The form of e-mail and password."""
    onward = request.args.get("next", "")
    onward = onward if is_path_of_ours(onward) else "/console"
    if signed_in() is not None:
        return go(onward)
    return show("sign_in.html", onward=onward)


@pages.page("/sign-out", methods=("POST",), needs=None)
def sign_out() -> Response:
    """This browser is signed out."""
    services().sign_ins.end(me().session_id)
    reply = go("/console/sign-in")
    forget_cookie(reply)
    return reply


@pages.page("/profile", needs=None)
def profile() -> str:
    """Who one is here, and in which browsers one is signed in."""
    return show("profile.html")
