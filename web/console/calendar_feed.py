"""A calendar program's way in: an address with a secret in it, made, read and revoked."""

from __future__ import annotations

from flask import Response, current_app, request, url_for

import errors
from engine.policy import Permission
from lib.ids import is_ascii_id
from services import unit_of_work
from services.calendar_feeds import Reader
from web.console.calendar import calendar_context
from web.console.frame import Guard, Pages, go_to, me, show
from web.console.notes import say
from web.unit_of_work import resources, services

pages = Pages("calendar_feed", __name__)


@pages.page("/calendar/feeds", methods=("POST",), needs=Permission.LEADS_WRITE)
def make() -> str:
    """A new address, shown this once."""
    token = services().calendar_feeds.make(me().person_id)
    base = resources().settings.APP_URL or request.host_url.rstrip("/")
    path = url_for("console_calendar_feed.feed", token=token)
    return show("calendar/feed.html", address=f"{base}{path}", **calendar_context())


@pages.page("/calendar/feeds/<number>/revoke", methods=("POST",), needs=Permission.LEADS_WRITE)
def revoke(number: str) -> Response:
    """One's own address, from now on worth nothing."""
    feed_id = is_ascii_id(number)
    if feed_id is None:
        raise errors.NotFound("There is no such address.", code="unknown_feed")
    services().calendar_feeds.revoke(me().person_id, feed_id)
    say("The address is revoked; whoever has it sees nothing any more.")
    return go_to("console_calendar.calendar")


def feed(token: str) -> Response:
    """What a calendar program reads, without a login; 404 for whatever we do not know."""
    here = resources()
    with unit_of_work(here, read_only=True) as ours:
        reader = ours.calendar_feeds.find(token)
        written = ours.calendar_feeds.write(reader) if reader else b""
    if reader is None:
        return _private(Response("There is nothing at this address.\n", 404, mimetype="text/plain"))
    _note_reading(reader)
    reply = Response(written, mimetype="text/calendar")
    reply.add_etag()
    reply.make_conditional(request)
    return _private(reply)


# A public address outside of /console: a calendar program knows no cookie.
vars(feed)["guard"] = Guard(None, is_public=True)
pages.add_url_rule("/calendar/<token>.ics", view_func=feed, methods=["GET"])


def _note_reading(reader: Reader) -> None:
    if reader.is_news and request.method == "GET":
        with unit_of_work(current_app.extensions["leadline"]) as ours:
            ours.calendar_feeds.touch(reader.feed_id)


def _private(reply: Response) -> Response:
    reply.headers["Cache-Control"] = "private, no-cache"
    reply.headers["Referrer-Policy"] = "no-referrer"
    reply.headers["X-Robots-Tag"] = "noindex"
    return reply
