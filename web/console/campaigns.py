"""Campaigns: what was meant by them, who works them, and how they do."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import marshmallow
from flask import Response, request
from marshmallow import fields, validate

from engine.campaign_pace import GoalOf
from engine.policy import Permission
from engine.routing import HEAVIEST
from services.campaign_service import Agent
from web.console import wording
from web.console.frame import Pages, go_to, me, read, show
from web.console.notes import say
from web.unit_of_work import services

pages = Pages("campaigns", __name__)
LARGEST_GOAL = 2_000_000_000
GOALS = {
    GoalOf.LEADS: "leads",
    GoalOf.QUALIFIED: "qualified leads",
    GoalOf.WON: "won deals",
    GoalOf.VALUE: "value of won deals",
}
A_DAY = validate.Range(
    date(2000, 1, 1), date(2999, 12, 31), error="A day lies in the years 2000 to 2999."
)


class CampaignForm(marshmallow.Schema):
    """What somebody says of a campaign."""

    class Meta:
        """Fields of agents are read by a schema of their own."""

        unknown = marshmallow.EXCLUDE

    name = fields.String(
        required=True,
        validate=validate.Length(max=255),
        error_messages={"required": "A campaign needs a name."},
    )
    description = fields.String(load_default=None, validate=validate.Length(max=2000))
    starts_on = fields.Date(load_default=None, validate=A_DAY)
    ends_on = fields.Date(load_default=None, validate=A_DAY)
    goal = fields.Integer(
        load_default=None,
        validate=validate.Range(1, LARGEST_GOAL, error="A goal is at least 1."),
    )
    goal_of = fields.String(load_default="leads", validate=validate.OneOf(list(map(str, GOALS))))
    routes = fields.Boolean(load_default=False)


@pages.page("/campaigns", needs=Permission.CAMPAIGNS_READ)
def campaigns() -> str:
    """All campaigns at work, or those that were put away."""
    archived = request.args.get("archived") == "1"
    return show(
        "campaigns/list.html",
        campaigns=services().campaigns.list_campaigns(archived=archived),
        archived=archived,
        goals=GOALS,
        names=[] if archived else services().campaigns.names_without(),
    )


@pages.page("/campaigns/new", needs=Permission.CAMPAIGNS_WRITE)
def new() -> str:
    """The form of a new campaign."""
    name = request.args.get("name", "")[:255]
    return _form(None, name, services().campaigns.possible_agents(), {})


@pages.page("/campaigns", methods=("POST",), needs=Permission.CAMPAIGNS_WRITE, again=new)
def create() -> Response:
    """A new campaign."""
    data, agents = _read_form(services().campaigns.possible_agents())
    campaign_id = services().campaigns.create(data, agents, actor=me().email)
    say(f"The campaign {data['name']} is there.")
    return go_to("console_campaigns.campaign", campaign_id=campaign_id)


@pages.page("/campaigns/<int:campaign_id>", needs=Permission.CAMPAIGNS_READ)
def campaign(campaign_id: int) -> str:
    """One campaign: its health, its agents, and the form that changes it."""
    found = services().campaigns.find(campaign_id)
    shares = {agent.id: agent.weight for agent in found.agents}
    return _form(found, found.name, _everybody(found), shares)


@pages.page(
    "/campaigns/<int:campaign_id>",
    methods=("POST",),
    needs=Permission.CAMPAIGNS_WRITE,
    again=campaign,
)
def edit(campaign_id: int) -> Response:
    """A changed campaign."""
    data, agents = _read_form(_everybody(services().campaigns.find(campaign_id)))
    services().campaigns.edit(campaign_id, data, agents, actor=me().email)
    say("Saved.")
    return go_to("console_campaigns.campaign", campaign_id=campaign_id)


@pages.page(
    "/campaigns/<int:campaign_id>/archive",
    methods=("POST",),
    needs=Permission.CAMPAIGNS_WRITE,
)
def archive(campaign_id: int) -> Response:
    """Put away; its leads stay as they are."""
    services().campaigns.archive(campaign_id, is_archived=True, actor=me().email)
    say("Archived.", undo=f"/console/campaigns/{campaign_id}/take-back")
    return go_to("console_campaigns.campaigns")


@pages.page(
    "/campaigns/<int:campaign_id>/take-back",
    methods=("POST",),
    needs=Permission.CAMPAIGNS_WRITE,
)
def take_back(campaign_id: int) -> Response:
    """At work again."""
    services().campaigns.archive(campaign_id, is_archived=False, actor=me().email)
    say("The campaign is at work again.")
    return go_to("console_campaigns.campaign", campaign_id=campaign_id)


def _form(found: Any, name: str, agents: list[Agent], shares: dict[int, int]) -> str:
    return show(
        "campaigns/one.html",
        campaign=found,
        name=name,
        agents=agents,
        shares=shares,
        heaviest=HEAVIEST,
        goals=GOALS,
        local_day=_local_day,
    )


def _everybody(found: Any) -> list[Agent]:
    """Who works it by now, and who else could."""
    known = {agent.id for agent in found.agents}
    others = [one for one in services().campaigns.possible_agents() if one.id not in known]
    return [*found.agents, *others]


def _read_form(agents: list[Agent]) -> tuple[dict[str, Any], dict[int, int]]:
    shares: Any = marshmallow.Schema.from_dict(
        {
            f"share_{agent.id}": fields.Integer(
                validate=validate.Range(0, HEAVIEST, error=f"Give 0 to {HEAVIEST}.")
            )
            for agent in agents
        }
    )
    data, given = read(CampaignForm), read(shares(unknown=marshmallow.EXCLUDE))
    chosen = {agent.id: given.get(f"share_{agent.id}", 0) for agent in agents}
    data["starts_on"] = _moment(data["starts_on"], days=0)
    data["ends_on"] = _moment(data["ends_on"], days=1)
    return data, {one: weight for one, weight in chosen.items() if weight}


def _moment(day: date | None, *, days: int) -> datetime | None:
    """The begin of a day of the reader, or (days=1) its last second."""
    if day is None:
        return None
    text = datetime.combine(day + timedelta(days=days), time()).isoformat(timespec="minutes")
    return wording.from_local(text) - timedelta(seconds=days)


def _local_day(moment: datetime | None) -> str:
    """A moment's day, as a date field of the reader holds it."""
    return wording.local_input(moment)[:10]
