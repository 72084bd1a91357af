"""The address of the list of leads: read into a view, and written again with one thing changed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import marshmallow
from marshmallow import fields, validate

from engine.vocabulary import Classification, Tier
from services.lead_view import MINE, MOST_ANSWERS, NOBODY, NONE, LeadView
from web.console import masking, wording
from web.console.frame import me

SIZES = (25, 50, 100, 200)
SORTS = (
    ("score", "Score"),
    ("points", "Points of the chat"),
    ("probability", "Probability"),
    ("crm_rules", "CRM rules"),
    ("engagement", "Engagement"),
    ("active", "Last active first"),
    ("quiet", "Longest quiet first"),
    ("newest", "Newest first"),
    ("oldest", "Oldest first"),
    ("name", "Name"),
)
LABELS = {
    "q": "Words",
    "classification": "Class",
    "tier": "Tier",
    "stage": "Stage",
    "owner": "Owner",
    "source": "Source",
    "utm_campaign": "UTM campaign",
    "campaign": "Campaign",
    "variant": "Variant",
    "chose": "Chose",
    "said": "Said",
    "from_": "From",
    "to": "To",
}
_WORDS = {
    ("owner", MINE): "me",
    ("owner", NOBODY): "nobody",
    ("campaign", NONE): "none",
}


def _text(most: int = 255, **more: Any) -> fields.String:
    return fields.String(validate=validate.Length(max=most), **more)


class ListQuery(marshmallow.Schema):
    """What the address of the list may say."""

    q = _text(200)
    classification = fields.String(validate=validate.OneOf([str(one) for one in Classification]))
    tier = fields.String(validate=validate.OneOf([str(one) for one in Tier]))
    stage = _text(64)
    owner = _text()
    source = _text()
    utm_campaign = _text()
    campaign = _text()
    variant = _text(130)
    chose = fields.List(_text(1100), validate=validate.Length(max=MOST_ANSWERS))
    said = _text(200)
    said_to = fields.Integer()
    from_ = _text(64, data_key="from")
    to = _text(64)
    sort = fields.String(validate=validate.OneOf([name for name, _ in SORTS]), load_default="score")
    size = fields.Integer(validate=validate.OneOf(SIZES), load_default=50)
    cursor = _text(2000)
    filters = fields.String()


def view_of(query: dict[str, Any]) -> LeadView:
    """The view that an address means, its days in the reader's zone.

    Who sees people masked finds nobody by their name or by what they typed.
    """
    query = {**query, "tz": str(wording.time_zone())}
    return seen(LeadView.of(query))


def seen(view: LeadView) -> LeadView:
    """The view as this reader may ask for it."""
    if masking.sees_personal():
        return view
    view = view.without_words()
    return LeadView.of({**view.plain(), "sort": "score"}) if view.sort == "name" else view


def pairs(view: LeadView, **more: Any) -> list[tuple[str, str]]:
    """What the address of a view says, name by name."""
    told = view.plain()
    told.pop("tz", None)
    if told.get("sort") == "score":
        del told["sort"]
    if "from_" in told:
        told["from"] = told.pop("from_")
    said: list[tuple[str, str]] = []
    for name, value in {**told, **more}.items():
        values = value if isinstance(value, list) else [value]
        said += [(name, str(one)) for one in values if one not in (None, "")]
    return said


def path(view: LeadView, **more: Any) -> str:
    """The address of a view."""
    query = urlencode(pairs(view, **more))
    return f"/console/leads?{query}" if query else "/console/leads"


def chips(view: LeadView, size: int) -> list[tuple[str, str, str]]:
    """Each thing the view asks for: what, how, and the address of the list without it."""
    found = []
    for name, value in view.filters.items():
        for one in value if isinstance(value, list) else [value]:
            rest = view.plain()
            rest[name] = [other for other in view.chose if other != one]
            if name != "chose":
                rest.pop(name)
            without = path(LeadView.of(rest), **_size(size))
            found.append((LABELS[name], _shown(name, str(one)), without))
    return found


def _size(size: int) -> dict[str, int]:
    return {} if size == 50 else {"size": size}


def _shown(name: str, value: str) -> str:
    if name == "owner" and value == me().email:
        return "me"
    if name == "chose":
        return value.partition(":")[2]
    return _WORDS.get((name, value), value.replace(":", ": ") if name == "variant" else value)
