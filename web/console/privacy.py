"""Privacy: find a person, hand over all that is kept, forget them; consents and the clock."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, request

from engine.policy import Permission
from errors import invalid_field, unknown_lead
from lib.csv_stream import csv_chunks
from lib.ids import is_ascii_id
from services.retention_service import RetentionService
from web.console.frame import Pages, go_to, me, show
from web.console.notes import say
from web.told_link import path_of
from web.unit_of_work import resources, services

pages = Pages("privacy", __name__)
NEEDS = Permission.PRIVACY
FIELDS = ("part", "row", "field", "value")
LONGEST_SEARCH = 200


@pages.page("/privacy", needs=NEEDS)
def privacy() -> str:
    """The search, who asked to be forgotten, and when what is forgotten by itself."""
    wanted = request.args.get("q", "")[:LONGEST_SEARCH].replace("\x00", "")
    return show(
        "privacy/search.html",
        wanted=wanted,
        found=services().records.search(wanted),
        requests=services().records.requests(),
        days=resources().settings.ANALYTICS_RETENTION_DAYS,
        last=services().make(RetentionService).last_run(),
    )


@pages.page("/privacy/<lead_id>", needs=NEEDS)
def person(lead_id: str) -> str:
    """What is kept of one person, part by part, and what they agreed to."""
    found = services().records.get(_number(lead_id))
    links = [(one, _link(one["public_ref"])) for one in found["sessions"]]
    return show("privacy/person.html", one=found, links=links)


@pages.page("/privacy/<lead_id>/export.<form>", needs=NEEDS, methods=("POST",))
def export(lead_id: str, form: str) -> Response:
    """All of it as a file; a POST, for it is written down who took it."""
    number = _number(lead_id)
    if form == "json":
        whole = services().records.whole(number)
        text, kind = (
            json.dumps(whole, ensure_ascii=False, indent=1, default=str),
            "application/json",
        )
    elif form == "csv":
        text = "".join(csv_chunks(services().records.rows(number), FIELDS))
        kind = "text/csv; charset=utf-8"
    else:
        raise unknown_lead()
    services().accounts.audit(me().email, "person.exported", f"lead {number}", {"form": form})
    headers = {"Content-Disposition": f'attachment; filename="person-{number}.{form}"'}
    return Response(text, content_type=kind, headers=headers)


@pages.page("/privacy/<lead_id>/erase", needs=NEEDS, methods=("POST",), again=person)
def erase(lead_id: str) -> Response:
    """The person is forgotten; what they did still counts, nobody can tell who it was."""
    number = _number(lead_id)
    if request.form.get("sure", "").strip().casefold() != "erase":
        raise invalid_field("sure", 'Write "erase" to say that you mean it; it cannot be undone.')
    services().privacy.erase_lead(number, actor=me().email)
    say("The person is forgotten. An import will not bring them back.")
    return go_to("console_privacy.person", lead_id=number)


def _number(lead_id: str) -> int:
    number = is_ascii_id(lead_id)
    if number is None:
        raise unknown_lead()
    return number


def _link(public_ref: str) -> Any:
    base = resources().settings.APP_URL or request.host_url
    return f"{base.rstrip('/')}{path_of(public_ref)}"
