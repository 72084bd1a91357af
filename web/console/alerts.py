"""Alerts: who hears of leads, when, and by which rules; each place can be tried with a button."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response, request
from marshmallow import fields, validate

from engine.policy import Permission
from engine.vocabulary import ChannelName, Trigger
from services import unit_of_work
from services.destination_service import Who, checked_address
from web.console import alert_words
from web.console.frame import Pages, go_to, me, read, show
from web.console.notes import say
from web.unit_of_work import resources, services

pages = Pages("alerts", __name__)
READ, WRITE = Permission.ALERTS_READ, Permission.ALERTS_WRITE
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class _Quiet(marshmallow.Schema):
    quiet_start = fields.String(validate=validate.Length(max=5))
    quiet_end = fields.String(validate=validate.Length(max=5))
    quiet_days = fields.List(fields.String(validate=validate.OneOf(DAYS)))


class PlaceForm(_Quiet):
    """A place that hears of leads, as its form says it."""

    channel = fields.String(validate=validate.OneOf([str(one) for one in ChannelName]))
    address = fields.String(validate=validate.Length(max=2000))
    name = fields.String(validate=validate.Length(max=255), load_default=None)
    triggers = fields.List(fields.String(validate=validate.OneOf([str(one) for one in Trigger])))
    digest = fields.String(load_default=None, validate=validate.OneOf(("hourly", "daily")))
    enabled = fields.Boolean(load_default=False)


class RulesForm(_Quiet):
    """The rules of all alerts, as their form says them."""

    queue_profile = fields.String(validate=validate.OneOf(list(alert_words.PROFILES)))
    hot_threshold = fields.Float(load_default=None)
    warm_threshold = fields.Float(load_default=None)
    sql_requires_contact = fields.Boolean(load_default=False)
    enable_slack = fields.Boolean(load_default=False)
    enable_discord = fields.Boolean(load_default=False)
    enable_teams = fields.Boolean(load_default=False)
    enable_email = fields.Boolean(load_default=False)
    triggers = fields.List(fields.String(validate=validate.OneOf([str(one) for one in Trigger])))


@pages.page("/alerts", needs=READ)
def destinations() -> str:
    """Every place that hears of leads, and the rules."""
    ours = services().destinations
    return show(
        "alerts/list.html",
        places=ours.list_all()["destinations"],
        rules=ours.config(),
        words=alert_words,
        days=DAYS,
    )


@pages.page("/alerts/new", needs=WRITE)
def new() -> str:
    """The form of a new place."""
    return show("alerts/place.html", place=None, words=alert_words, days=DAYS)


def _check_address(**path: Any) -> None:
    """Judge an address while no transaction is open, for that asks the name's server."""
    address = request.form.get("address", "").strip()
    if not address:
        return
    channel: Any = request.form.get("channel")
    if "place" in path:
        with unit_of_work(resources(), read_only=True) as ours:
            channel = ours.destinations.get(path["place"])["channel"]
    checked_address(resources(), channel, address, who=_who())


@pages.page("/alerts/new", methods=("POST",), needs=WRITE, again=new, before=_check_address)
def add() -> str | Response:
    """A new place; the secret of a webhook is shown this once."""
    form = read(PlaceForm)
    data = _place(form) | {"channel": form.get("channel"), "address": form.get("address", "")}
    place = services().destinations.add(data, who=_who())
    if place.get("secret"):
        return show("alerts/secret.html", place=place)
    say("It hears of leads from now on. Send a test message to see that it works.")
    return go_to("console_alerts.destinations")


@pages.page("/alerts/<place>", needs=READ)
def one(place: str) -> str:
    """One place and its form."""
    found = services().destinations.get(place)
    return show("alerts/place.html", place=found, words=alert_words, days=DAYS)


@pages.page("/alerts/<place>", methods=("POST",), needs=WRITE, again=one, before=_check_address)
def change(place: str) -> str | Response:
    """Other choices for a place; an empty address leaves it as it is."""
    form = read(PlaceForm)
    data = _place(form)
    if form.get("address"):
        data["address"] = form["address"]
    services().destinations.change(place, data, who=_who())
    say("Kept.")
    return go_to("console_alerts.destinations")


@pages.page("/alerts/<place>/rotate", methods=("POST",), needs=WRITE)
def rotate(place: str) -> str:
    """A new signing secret; the one before signs beside it for a day."""
    changed = services().destinations.change(place, {"rotate_secret": True}, who=_who())
    return show("alerts/secret.html", place=changed)


@pages.page("/alerts/<place>/test", methods=("POST",), needs=WRITE)
def test(place: str) -> Response:
    """A test message on its way, to be watched as a delivery."""
    sent = services().destinations.test(place, who=_who())
    say("A test message is on its way.")
    return go_to("console_deliveries.delivery", identifier=sent["delivery_id"])


@pages.page("/alerts/<place>/remove", methods=("POST",), needs=WRITE)
def remove(place: str) -> Response:
    """It hears nothing any more; its log stays."""
    services().destinations.remove(place, who=_who())
    say("It hears nothing any more; what was sent stays in the log.")
    return go_to("console_alerts.destinations")


@pages.page("/alerts/rules", methods=("POST",), needs=WRITE, again=destinations)
def rules() -> Response:
    """Other rules for all alerts."""
    form = read(RulesForm)
    on = set(form.pop("triggers", []))
    quiet = _quiet(form)
    change = {name: value for name, value in form.items() if not name.startswith("quiet_")}
    change["triggers"] = {str(one): str(one) in on for one in Trigger}
    services().destinations.change_config({**change, "quiet_hours": quiet}, who=_who())
    say("The rules are kept.")
    return go_to("console_alerts.destinations")


def _place(form: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": form["name"],
        "triggers": form.get("triggers") or None,
        "digest": form["digest"],
        "enabled": form["enabled"],
        "quiet_hours": _quiet(form),
    }


def _quiet(form: dict[str, Any]) -> dict[str, Any] | None:
    """The quiet hours of a form, in the zone of its reader; None where both times are empty."""
    start, end = form.get("quiet_start"), form.get("quiet_end")
    if not start and not end:
        return None
    hours = {"start": start, "end": end, "tz": me().time_zone or "UTC"}
    return hours | ({"days": form["quiet_days"]} if form.get("quiet_days") else {})


def _who() -> Who:
    return Who(me().email, is_operator=me().may(Permission.ADMIN))
