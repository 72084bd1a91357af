"""The board: every stage with its leads, moved by hand, by key, or by a plain form."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response, make_response, redirect, render_template, request, url_for
from marshmallow import fields, validate

import errors
from engine.policy import Permission
from engine.stages import LONGEST_NAME
from lib.ids import is_ascii_id
from services.board_service import CARDS_AT_ONCE, MOST_CARDS, NOBODY, BoardFilter, Moved
from web.console import masking
from web.console.frame import Pages, go_to, is_htmx, me, read, read_query, show
from web.console.notes import say
from web.unit_of_work import resources, services

MINE = "mine"
LARGEST_VALUE = 1e12

pages = Pages("board", __name__)


class BoardQuery(marshmallow.Schema):
    """Which leads the board shows; `more` names a stage once for each further page of it."""

    class Meta:
        """What else is in an address is not ours."""

        unknown = marshmallow.EXCLUDE

    owner = fields.String(load_default=None, validate=validate.Length(max=255))
    campaign = fields.String(load_default=None, validate=validate.Length(max=255))
    more = fields.List(fields.String(), load_default=list, validate=validate.Length(max=60))


class MoveIn(marshmallow.Schema):
    """Where a lead goes, and where it stood when that was decided."""

    to = fields.String(required=True, validate=validate.Length(max=LONGEST_NAME))
    expected = fields.String(load_default=None, validate=validate.Length(max=LONGEST_NAME))
    value = fields.Float(
        load_default=None,
        allow_nan=False,
        validate=validate.Range(0, LARGEST_VALUE, error="A value from 0 to a trillion, please."),
    )


@pages.page("/board", needs=Permission.LEADS_READ)
def board() -> str:
    """The stages side by side."""
    return show("board/board.html", **_context())


@pages.page("/board/lanes", needs=Permission.LEADS_READ)
def lanes() -> Response:
    """The stages alone, for who has the page open; 304 while they are as that page knows them."""
    reply = make_response(render_template("console/board/lanes.html", **_context()))
    reply.add_etag()
    reply.make_conditional(request)
    return reply


@pages.page("/board/<lead_id>/move", methods=("POST",), needs=Permission.LEADS_WRITE)
def move(lead_id: str) -> Response:
    """One lead in another stage; 409 where somebody else was quicker."""
    data = read(MoveIn)
    moved = _move(lead_id, **data)
    name = moved.name or f"Lead {moved.lead_id}"
    undo = url_for(".back", lead_id=lead_id, to=moved.before, since=moved.after)
    say(f"{name}: {moved.before} → {moved.after}.", undo=undo)
    return _done()


@pages.page("/board/<lead_id>/back", methods=("POST",), needs=Permission.LEADS_WRITE)
def back(lead_id: str) -> Response:
    """A move undone, unless somebody has moved the lead since."""
    to, since = request.args.get("to", ""), request.args.get("since", "")
    moved = _move(lead_id, to=to, expected=since, value=None)
    say(f"{moved.name or f'Lead {moved.lead_id}'} is back in {moved.after}.")
    return _done()


def kanban() -> Any:
    """The board's older address."""
    return redirect(url_for("console_board.board"), code=301)


pages.add_url_rule("/leads/kanban/", view_func=kanban, methods=["GET"])


def _move(lead_id: str, *, to: str, expected: str | None, value: float | None) -> Moved:
    number = is_ascii_id(lead_id)
    if number is None:
        raise errors.unknown_lead()
    return services().board.move(number, to, expected=expected, value=value, actor=me().email)


def _done() -> Response:
    return Response(status=204) if is_htmx() else go_to(".board")


def _context() -> dict[str, Any]:
    said = read_query(BoardQuery)
    ours = services().board
    more, names = said["more"], dict(services().lead_choices.owners())
    shown = {name: CARDS_AT_ONCE * (1 + more.count(name)) for name in more}
    owner = me().email if said["owner"] == MINE else said["owner"]
    found = ours.lanes(BoardFilter(owner=owner, campaign=said["campaign"], shown=shown))
    query = {name: said[name] for name in ("owner", "campaign") if said[name]}
    return {
        "lanes": found,
        "stages": [lane.stage.name for lane in found if lane.is_known],
        "owners": _owners(said["owner"], names),
        "names": names,
        "campaigns": [(name, name) for name in ours.campaigns()],
        "query": query,
        "more": more,
        "most": MOST_CARDS,
        "poll": resources().settings.REALTIME_UPDATES_INTERVAL,
        "masking": masking,
        "moves": me().may(Permission.LEADS_WRITE),
    }


def _owners(chosen: str | None, names: dict[str, str]) -> list[tuple[str, str]]:
    """Whose leads one may ask for; who sees their own only is not told who else there is."""
    known = [(MINE, "Mine"), (NOBODY, "Nobody's")]
    if me().owner is not None:
        return known
    others = services().board.owners()
    if chosen and chosen not in (MINE, NOBODY, *others):
        others.append(chosen)
    return known + [(one, names.get(one, one)) for one in others]
