"""A lead by hand: entered, edited, deleted, brought back."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response, url_for
from marshmallow import fields, validate

from engine.policy import Permission
from engine.vocabulary import PROFILE_FIELDS
from errors import Forbidden, unknown_lead
from web.console import lead_attributes, masking
from web.console.frame import Pages, go_to, me, read, show
from web.console.notes import say
from web.unit_of_work import services

pages = Pages("lead_entry", __name__)

SOURCES = (
    ("walk-in", "Walk-in"),
    ("phone", "Called us"),
    ("referral", "Referral"),
    ("event", "Event"),
    ("partner", "Partner"),
    ("manual", "Other"),
)
CLEARED = (*PROFILE_FIELDS, "campaign")


def _text(most: int = 1000) -> fields.String:
    return fields.String(validate=validate.Length(max=most))


class EntryForm(marshmallow.Schema):
    """What a lead is known by, and who works it."""

    name = _text()
    email = _text()
    phone = _text()
    company = _text()
    business_type = _text()
    location = _text()
    staff_size = _text()
    monthly_sales = _text()
    features_interested = _text(4000)
    campaign = _text(255)
    source = _text(255)
    assigned_to = _text(255)
    stage = _text(64)


@pages.page("/leads/new", needs=Permission.LEADS_WRITE)
def new() -> str:
    """An empty form."""
    return show("leads/entry.html", lead=None, merges=[], **_offers())


@pages.page("/leads/new", needs=Permission.LEADS_WRITE, methods=("POST",), again=new)
def enter() -> Response:
    """A lead that somebody met elsewhere."""
    told = read(EntryForm)
    told.setdefault("assigned_to", None)
    _refuse_giving(told["assigned_to"], None)
    with services().accounts.as_one(me().email, "lead.created", "lead") as entry:
        made = services().book.enter(told, actor=me().email)
        entry.subject = f"lead {made['id']}"
        entry.detail = {"fields": sorted(name for name, value in told.items() if value)}
    twins = made["possible_duplicates"]
    say(
        "Entered. There is another lead with the same e-mail or phone; compare them."
        if twins
        else "Entered."
    )
    return go_to("console_lead.lead", lead_id=int(made["id"]))


@pages.page("/leads/<int:lead_id>/edit", needs=Permission.LEADS_WRITE)
def edit(lead_id: int) -> str:
    """What is known of a lead, to be changed."""
    _refuse_masked()
    lead = services().book.find_lead(lead_id)
    merges = services().merges.merges(lead_id) if me().may(Permission.LEADS_MANAGE) else []
    rows = lead_attributes.rows(lead["attributes"])
    return show("leads/entry.html", lead=lead, merges=merges, attributes=rows, **_offers())


@pages.page(
    "/leads/<int:lead_id>/edit", needs=Permission.LEADS_WRITE, methods=("POST",), again=edit
)
def keep(lead_id: int) -> Response:
    """The lead with the fields as they were sent; an emptied one is taken away."""
    _refuse_masked()
    told: dict[str, Any] = read(EntryForm)
    before = services().book.find_lead(lead_id)
    data = {**dict.fromkeys(CLEARED), "assigned_to": None, **told}
    _refuse_giving(data["assigned_to"], before["assigned_to"])
    if changed := lead_attributes.changes(before["attributes"]):
        data["attributes"] = changed
    with services().accounts.as_one(me().email, "lead.edited", f"lead {lead_id}") as entry:
        after = services().book.edit(lead_id, data, actor=me().email)
        entry.detail = {"fields": sorted(name for name in data if after[name] != before[name])}
    say("Saved.")
    given_away = me().owner is not None and data["assigned_to"] not in (None, me().email)
    if given_away:
        return go_to("console_leads.leads")
    return go_to("console_lead.lead", lead_id=lead_id)


@pages.page("/leads/<int:lead_id>/delete", needs=Permission.LEADS_MANAGE, methods=("POST",))
def delete(lead_id: int) -> Response:
    """The lead out of every list, until somebody brings it back."""
    services().book.delete(lead_id, actor=me().email)
    say("Deleted.", undo=url_for("console_lead_entry.restore", lead_id=lead_id))
    return go_to("console_leads.leads")


@pages.page("/leads/<int:lead_id>/restore", needs=Permission.LEADS_MANAGE, methods=("POST",))
def restore(lead_id: int) -> Response:
    """A deleted lead, back as it was."""
    services().book.restore(lead_id, actor=me().email)
    say("It is back.")
    return go_to("console_lead.lead", lead_id=lead_id)


def _offers() -> dict[str, Any]:
    choices = services().lead_choices
    everybody = choices.owners()
    takers = everybody if me().may(Permission.LEADS_MANAGE) else []
    mine = [one for one in everybody if one[0] == me().email]
    return {
        "sources": SOURCES,
        "stages": [(one, one) for one in choices.stages()],
        "takers": takers or mine,
        "campaigns": choices.campaigns(),
        "may_manage": me().may(Permission.LEADS_MANAGE),
    }


def _refuse_giving(owner: str | None, before: str | None) -> None:
    """Who may not manage leads takes them, and gives them to nobody."""
    if owner in (None, before, me().email) or me().may(Permission.LEADS_MANAGE):
        return
    raise Forbidden("Your role gives leads to yourself or to nobody.", code="not_allowed")


def _refuse_masked() -> None:
    if not masking.sees_personal():
        raise unknown_lead()
