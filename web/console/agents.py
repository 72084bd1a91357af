"""The team: who has how much in hand, how new leads are shared out."""

from __future__ import annotations

import marshmallow
from flask import Response
from marshmallow import fields, validate

from engine.policy import Permission
from engine.routing import HEAVIEST
from services.routing_service import CLASSES
from services.team_figures import TeamFigures
from web.console import dashboard_tables as tables
from web.console.frame import Pages, go_to, me, read, show
from web.console.notes import say
from web.console.ranges import chosen
from web.unit_of_work import services

pages = Pages("agents", __name__)
LARGEST_CAPACITY = 10_000


class ShareForm(marshmallow.Schema):
    """Somebody's share of new leads."""

    weight = fields.Integer(
        load_default=0, validate=validate.Range(0, HEAVIEST, error=f"Give 0 to {HEAVIEST}.")
    )
    capacity = fields.Integer(
        load_default=None,
        validate=validate.Range(0, LARGEST_CAPACITY, error=f"Give 0 to {LARGEST_CAPACITY}."),
    )


class RoutingForm(marshmallow.Schema):
    """Whether and which leads are given out by themselves."""

    enabled = fields.Boolean(load_default=False)
    entered = fields.Boolean(load_default=False)
    from_class = fields.String(load_default="SQL", validate=validate.OneOf(list(CLASSES)))


@pages.page("/team", needs=Permission.ANALYTICS_READ)
def agents() -> str:
    """Everybody's work in these days, and how new leads are shared out."""
    when = chosen()
    figures = services().make(TeamFigures)
    found = figures.find(when.period)
    is_narrowed = not me().may(Permission.LEADS_ALL)
    before = figures.find(when.before) if when.before else None
    rows = [row for row in found.agents if not is_narrowed or row.email == me().email]
    counted = figures.counted() if is_narrowed else None
    return show(
        "agents/team.html",
        when=when,
        query=when.query,
        found=found,
        before={row.email: row for row in before.agents} if before else {},
        rows=rows,
        counted=counted,
        counted_table=tables.counted(counted) if counted else None,
        is_narrowed=is_narrowed,
        routing=services().routing.settings(),
        heaviest=HEAVIEST,
        largest=LARGEST_CAPACITY,
    )


@pages.page("/team/<int:person_id>", methods=("POST",), needs=Permission.ADMIN)
def share(person_id: int) -> Response:
    """Another share for somebody."""
    person = services().people.change(person_id, read(ShareForm), by=me().email)
    say(f"Saved the share of {person.name}.")
    return go_to("console_agents.agents")


@pages.page("/team/routing", methods=("POST",), needs=Permission.LEADS_MANAGE)
def routing() -> Response:
    """Other settings of how leads are given out."""
    services().routing.change(**read(RoutingForm), actor=me().email)
    is_on = services().routing.settings().enabled
    waits = "Leads wait until somebody takes them."
    say("New leads are given out by themselves." if is_on else waits)
    return go_to("console_agents.agents")
