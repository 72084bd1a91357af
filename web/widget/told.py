"""A visitor's own page, by a signed link: what they told us, and how to take it back."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

import errors
from engine.widget_words import DEFAULT, page_words
from lib.text import direction
from web.told_link import is_good
from web.unit_of_work import perform, services
from web.widget.pages import versioned

pages = Blueprint("told", __name__, template_folder="templates")
PATH = "/told/<public_ref>/<token>"


@pages.get(PATH)
def told(public_ref: str, token: str) -> Response:
    """What is kept of this conversation, in its language."""
    _check(public_ref, token)
    return perform(lambda: _page(public_ref), writes=False)


@pages.post(PATH)
def take_back(public_ref: str, token: str) -> ResponseReturnValue:
    """The consent is taken back, or a wish to be forgotten is kept."""
    _check(public_ref, token)
    wish = request.form.get("wish", "")

    def work() -> Response:
        if wish == "withdraw":
            services().privacy.withdraw(public_ref)
        elif wish == "erase":
            services().privacy.ask_for_erasure(public_ref)
        return make_response(redirect(request.path, code=303))

    return perform(work, writes=True)


def _check(public_ref: str, token: str) -> None:
    # One answer for a wrong link and an old one: neither says whether there is such a person.
    if not public_ref.isascii() or not is_good(public_ref, token):
        raise errors.NotFound("This link does not work any more; ask us for a new one.")


def _page(public_ref: str) -> Response:
    found = services().privacy.told(public_ref)
    lang = found["locale"] or DEFAULT
    text = render_template(
        "chat/told.html",
        w=page_words(lang),
        lang=lang,
        dir=direction(lang),
        found=found,
        css=versioned("chat.css"),
    )
    reply = make_response(text)
    reply.headers["Cache-Control"] = "no-store"
    # The address is a key: no other page may learn it.
    reply.headers["Referrer-Policy"] = "no-referrer"
    return reply
