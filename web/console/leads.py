"""The list of leads: ranked, filtered, searched; views kept under a name; many changed at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import marshmallow
from flask import Response, request, url_for
from marshmallow import fields, validate

from engine.policy import Permission
from errors import Forbidden, Invalid, NotFound, invalid_field
from services.bulk_service import ACTIONS, ASSIGN, AT_ONCE, KIND, Change, Done, Who
from services.lead_export import Format, stream
from services.lead_table import COUNTED_TO
from services.lead_view import MINE, NOBODY, LeadView
from web.console import leads_query, masking
from web.console.frame import Pages, go, go_to, me, read, read_query, read_text, show
from web.console.leads_query import SIZES, SORTS, ListQuery
from web.console.notes import say
from web.unit_of_work import resources, services

pages = Pages("leads", __name__)

FORMATS = (
    (Format.SPREADSHEET, "CSV for a spreadsheet"),
    (Format.EXACT, "CSV, exact"),
    (Format.LINES, "JSON lines"),
    (Format.CARDS, "vCard"),
)
FILES = {
    Format.SPREADSHEET: ("text/csv", "csv"),
    Format.EXACT: ("text/csv", "csv"),
    Format.LINES: ("application/x-ndjson", "jsonl"),
    Format.CARDS: ("text/vcard", "vcf"),
}
READY = (
    ("All", LeadView()),
    ("Mine", LeadView(owner=MINE)),
    ("Nobody’s", LeadView(owner=NOBODY)),
    ("Hot", LeadView(tier="hot")),
    ("New", LeadView(sort="newest")),
)
DONE_WORDS = {"assign": "given", "stage": "moved", "campaign": "put into a campaign"}


@dataclass(frozen=True)
class Tab:
    """A view above the list."""

    name: str
    path: str
    by: str
    is_here: bool


class Chosen(marshmallow.Schema):
    """Which leads a form means: those ticked, or all of a view."""

    ids = fields.List(fields.Integer(), validate=validate.Length(max=AT_ONCE), load_default=[])
    all = fields.Boolean(load_default=False)
    query = fields.String(load_default="")


class BulkForm(Chosen):
    """What is to become of them."""

    action = fields.String(required=True, validate=validate.OneOf(ACTIONS))
    owner = fields.String(load_default="")
    stage = fields.String(load_default="")
    campaign = fields.String(load_default="")


class ExportForm(Chosen):
    """How they are to go out."""

    format = fields.Enum(Format, by_value=True, required=True)


class ViewForm(marshmallow.Schema):
    """A view under a name."""

    name = fields.String(required=True, validate=validate.Length(1, 200))
    shared = fields.Boolean(load_default=False)
    query = fields.String(load_default="")


@pages.page("/leads", needs=Permission.LEADS_READ)
def leads() -> str:
    """The leads of a view, page by page."""
    query = read_query(ListQuery)
    view, size = leads_query.view_of(query), query["size"]
    page = services().lead_table(me().email).page(view, limit=size, cursor=query.get("cursor"))
    following = page.next_cursor and leads_query.path(
        view, size=size if size != 50 else None, cursor=page.next_cursor
    )
    return show(
        "leads/leads.html",
        rows=[_shown(row) for row in page.rows],
        page=page,
        following=following,
        counted_to=COUNTED_TO,
        view=view,
        size=size,
        sizes=SIZES,
        sorts=[one for one in SORTS if one[0] != "name" or masking.sees_personal()],
        sort_label=dict(SORTS)[view.sort],
        chips=leads_query.chips(view, size),
        hidden=leads_query.pairs(view),
        query=_packed(view),
        tabs=_tabs(view),
        full=masking.sees_personal(),
        choices=services().lead_choices.find() if query.get("filters") else None,
        filter_path=leads_query.path(view, size=size if size != 50 else None, filters=1),
        **_offers(),
    )


def _offers() -> dict[str, Any]:
    """What the bar beneath the table and the filters offer."""
    choices, may = services().lead_choices, me().may
    everybody = choices.owners()
    return {
        "stages": choices.stages(),
        "owners": everybody,
        "takers": everybody if may(Permission.LEADS_MANAGE) else [],
        "campaigns": choices.campaigns(),
        "formats": FORMATS,
        "same": lambda values: [(one, one) for one in values],
        "dict": dict,
        "may_work": may(Permission.LEADS_WRITE) and masking.sees_personal(),
        "may_export": may(Permission.LEADS_EXPORT) and masking.sees_personal(),
        "may_manage": may(Permission.LEADS_MANAGE),
        "may_share": _may_share(),
    }


def _may_share() -> bool:
    """Whether this person may put a view before others: who only looks on changes nothing."""
    return me().may(Permission.LEADS_WRITE) or me().may(Permission.CAMPAIGNS_WRITE)


def _shown(row: Any) -> dict[str, Any]:
    """A row as this reader may see it."""
    contact = masking.email(row["email"]) or masking.phone(row["phone"])
    company = row["company"] if masking.sees_personal() else None
    label = masking.label(row["name"], row["id"], company or contact)
    more = [one for one in (company, contact) if one and one != label]
    return {**row, "label": label, "more": more}


def _tabs(view: LeadView) -> list[Tab]:
    """Ready views, one's own and those that others share, the present one marked."""
    found = [(name, one, "") for name, one in READY]
    for saved in services().saved_views.list_views(me().person_id):
        by = "" if saved.is_mine else saved.owner
        found.append((saved.name, leads_query.seen(saved.view), by))
    here = leads_query.path(view)
    return [
        Tab(name, leads_query.path(one), by, leads_query.path(one) == here)
        for name, one, by in found
    ]


# Views under a name


@pages.page("/leads/views", needs=Permission.LEADS_READ)
def views() -> str:
    """One's own views, to be renamed, shared and deleted."""
    found = services().saved_views.list_views(me().person_id)
    return show("leads/views.html", views=found, path=leads_query.path, may_share=_may_share())


@pages.page("/leads/views", needs=Permission.LEADS_READ, methods=("POST",), again=views)
def keep_view() -> Response:
    """The present filter under a name."""
    form = read(ViewForm)
    view = _unpacked(form["query"])
    services().saved_views.keep(
        me().person_id, form["name"], view, shared=form["shared"] and _may_share(), actor=me().email
    )
    say("Saved. You find it above the list.")
    return go(leads_query.path(view))


@pages.page(
    "/leads/views/<int:view_id>", needs=Permission.LEADS_READ, methods=("POST",), again=None
)
def rename_view(view_id: int) -> Response:
    """Another name, and whether others see it."""
    form = read(ViewForm)
    services().saved_views.rename(
        view_id,
        form["name"],
        shared=form["shared"] and _may_share(),
        person_id=me().person_id,
        actor=me().email,
    )
    say("Saved.")
    return go_to("console_leads.views")


@pages.page("/leads/views/<int:view_id>/delete", needs=Permission.LEADS_READ, methods=("POST",))
def delete_view(view_id: int) -> Response:
    """A view less; the leads in it stay."""
    services().saved_views.delete(view_id, person_id=me().person_id, actor=me().email)
    say("The view is gone; its leads are where they were.")
    return go_to("console_leads.views")


# Many at once


@pages.page("/leads/bulk", needs=Permission.LEADS_WRITE, methods=("POST",))
def change_many() -> Response:
    """Owner, stage or campaign of the leads that are ticked, or of all in the view."""
    form = read(BulkForm)
    change = _change(form)
    view, who = _unpacked(form["query"]), _who()
    if form["all"]:
        done = services().bulk.change_all(view, change, who)
    else:
        done = services().bulk.change_some(_ticked(form), change, who)
    return _after(done, change.action, view)


def _change(form: dict[str, Any]) -> Change:
    action: str = form["action"]
    value = form["owner" if action == ASSIGN else action].strip() or None
    if action == ASSIGN:
        value = me().email if value == MINE else None if value == NOBODY else value
        is_own = value in (None, me().email)
        if not is_own and not me().may(Permission.LEADS_MANAGE):
            raise Forbidden("Your role gives leads to yourself or to nobody.", code="not_allowed")
        if not is_own and value not in dict(services().lead_choices.owners()):
            raise invalid_field("owner", "There is nobody of this address here.")
        if not form["owner"].strip():
            raise invalid_field("owner", "Choose who is to get them.")
    elif action == "stage" and value is None:
        raise invalid_field("stage", "Choose a stage.")
    return Change(action, value)


def _after(done: Done, action: str, view: LeadView) -> Response:
    if done.job_id is not None:
        return go_to("console_leads.progress", job_id=done.job_id, entry=done.entry_id)
    undo = None
    if done.changed:
        undo = url_for("console_leads.undo", entry_id=done.entry_id, query=_packed(view) or None)
    leads = "1 lead" if done.changed == 1 else f"{done.changed} leads"
    say(f"{leads} {DONE_WORDS.get(action, 'changed')}.", undo=undo)
    return go(leads_query.path(view))


@pages.page("/leads/bulk/<int:entry_id>/undo", needs=Permission.LEADS_WRITE, methods=("POST",))
def undo(entry_id: int) -> Response:
    """What one changed, as it was."""
    done = services().bulk.undo(entry_id, _who())
    if done.job_id is not None:
        return go_to("console_leads.progress", job_id=done.job_id)
    say(f"Taken back for {done.changed} of {done.leads}." if done.leads else "Nothing to do.")
    return go(leads_query.path(_unpacked(request.args.get("query", ""))))


@pages.page("/leads/bulk/<job_id>", needs=Permission.LEADS_WRITE)
def progress(job_id: str) -> str:
    """How far a change of many leads is."""
    job = services().jobs.watch(job_id, me())
    if job["kind"] != KIND:
        raise NotFound("There is no job of this id.", code="unknown_job")
    entry = request.args.get("entry", "")
    return show(
        "leads/progress.html",
        job=job,
        entry=int(entry) if entry.isascii() and entry.isdigit() and len(entry) < 19 else None,
    )


# Out


@pages.page("/leads/export", needs=Permission.LEADS_EXPORT, methods=("POST",))
def export() -> Response:
    """The leads that are ticked, or all of the view if none is, as a file."""
    form = read(ExportForm)
    ids = None if form["all"] or not form["ids"] else form["ids"]
    view, format_ = _unpacked(form["query"]), form["format"]
    chosen = services().lead_export.begin(view, format_, actor=me().email, ids=ids)
    kind, ending = FILES[format_]
    name = f"leads-{services().now():%Y-%m-%d}.{ending}"
    return Response(
        stream(resources(), chosen, format_, only_for=me().owner),
        content_type=f"{kind}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _who() -> Who:
    return Who(me().email, me().owner)


def _ticked(form: dict[str, Any]) -> list[int]:
    if not form["ids"]:
        raise invalid_field("ids", "Tick the leads first, or choose all of the list.")
    return list(form["ids"])


def _packed(view: LeadView) -> str:
    """A view as a form carries it."""
    return leads_query.path(view).partition("?")[2]


def _unpacked(text: str) -> LeadView:
    try:
        return leads_query.view_of(read_text(ListQuery, text[:8000]))
    except Invalid:
        raise invalid_field("query", "This list cannot be read; open it again.") from None
