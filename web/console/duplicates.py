"""Leads that may be one person: found, compared side by side, merged, parted again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import marshmallow
from flask import Response, request, url_for

from engine.policy import Permission
from services.merge_service import CHOICES, KEPT, OTHER, Alike
from web.console.frame import Pages, go_to, me, read, show
from web.console.notes import say
from web.unit_of_work import services

pages = Pages("duplicates", __name__)

LABELS = {
    "name": "Name",
    "email": "E-mail",
    "phone": "Phone",
    "company": "Company",
    "business_type": "Business",
    "location": "Location",
    "staff_size": "Staff",
    "monthly_sales": "Monthly sales",
    "features_interested": "Interested in",
    "assigned_to": "Owner",
    "campaign": "Campaign",
    "source": "Source",
    "stage": "Stage and outcome",
}
SHOWN_OF_A_GROUP = 10


class Nothing(marshmallow.Schema):
    """A form without fields."""


@dataclass(frozen=True)
class Group:
    """Leads that are alike, as the page shows them."""

    by: str
    leads: list[dict[str, Any]]
    more: int


@pages.page("/leads/duplicates", needs=Permission.LEADS_MANAGE)
def duplicates() -> str:
    """Leads with the same address or number."""
    groups = [_group(one) for one in services().merges.duplicates()]
    return show("leads/duplicates.html", groups=[one for one in groups if len(one.leads) > 1])


@pages.page("/leads/<int:lead_id>/merge/<int:other_id>", needs=Permission.LEADS_MANAGE)
def compare(lead_id: int, other_id: int) -> str:
    """Both side by side, and what would become of them."""
    preview = services().merges.preview(lead_id, other_id)
    first = services().pipeline.stages().first.name
    return show("leads/merge.html", preview=preview, labels=LABELS, first_stage=first)


@pages.page(
    "/leads/<int:lead_id>/merge/<int:other_id>",
    needs=Permission.LEADS_MANAGE,
    methods=("POST",),
    again=compare,
)
def merge(lead_id: int, other_id: int) -> Response:
    """The other lead becomes part of this one."""
    read(Nothing(unknown=marshmallow.EXCLUDE))
    picks = {name: request.form[name] for name in CHOICES if request.form.get(name)}
    known = {name: pick for name, pick in picks.items() if pick in (KEPT, OTHER)}
    made = services().merges.merge(lead_id, other_id, known, actor=me().email)
    say(
        "They are one lead now.",
        undo=url_for("console_duplicates.part", merge_id=made),
        undo_label="Part them",
    )
    return go_to("console_lead.lead", lead_id=lead_id)


@pages.page("/leads/merges/<int:merge_id>/part", needs=Permission.LEADS_MANAGE, methods=("POST",))
def part(merge_id: int) -> Response:
    """Two leads again."""
    kept_id, _ = services().merges.part(merge_id, actor=me().email)
    say("They are two leads again; what was done since the merge stayed with this one.")
    return go_to("console_lead.lead", lead_id=kept_id)


def _group(alike: Alike) -> Group:
    leads = services().merges.named(alike.ids[:SHOWN_OF_A_GROUP])
    return Group(alike.by, leads, len(alike.ids) - len(leads))
