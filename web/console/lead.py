"""A lead's page: who it is, why it scores so, what it said, what was done, what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import request, url_for

from engine.points import advice_for
from engine.policy import Permission
from engine.stages import Pipeline
from engine.vocabulary import Profile, StageKind, Tier
from errors import invalid_field
from lib.clock import iso
from services.lead_moment import Then
from services.lead_story import Award, ToldLead, read_chapter
from services.work_log import NAMES
from web.console import lead_forms, masking, wording
from web.console.frame import Pages, me, show
from web.console.waterfall import evidence_bars, point_bars
from web.unit_of_work import resources, services

pages = Pages("lead", __name__)
# Reasons that are drawn one by one; a person reads no fifty of them.
MOST_REASONS = 9

CHAPTERS = (
    ("", "Everything"),
    ("chat", "Chat"),
    ("sales", "Sales"),
    ("score", "Score"),
    ("system", "System"),
)
FIELDS = (
    ("email", "E-mail"),
    ("phone", "Phone"),
    ("company", "Company"),
    ("business_type", "Business"),
    ("location", "Location"),
    ("staff_size", "Staff"),
    ("monthly_sales", "Monthly sales"),
    ("features_interested", "Interested in"),
)


@dataclass(frozen=True)
class Page:
    """What the address asks of a lead's page beside the lead."""

    chapter: str | None
    before: int | None
    as_of: datetime | None
    from_now: bool


@pages.page("/leads/<int:lead_id>", needs=Permission.LEADS_READ)
def lead(lead_id: int) -> str:
    """Everything about one lead."""
    return show_lead(lead_id)


def show_lead(lead_id: int, changed: list[str] | None = None) -> str:
    """The page, above it what was just changed, if anything was."""
    asked, full = _asked(), masking.sees_personal()
    told = services().stories.of(lead_id)
    found = services().book.find_lead(lead_id)
    entries, older = told.history(full=full, chapter=asked.chapter, before=asked.before)
    pipeline = services().pipeline.stages()
    then = services().moments.find(told, asked.as_of) if asked.as_of else None
    return show(
        "lead/lead.html",
        lead=told.lead,
        found=_masked(found, full=full),
        shown=_shown(told, full=full),
        full=full,
        may_work=me().may(Permission.LEADS_WRITE) and full,
        stage=pipeline.find(told.lead.stage) or told.lead.stage,
        pipeline=pipeline,
        is_stagnant=_is_stagnant(told, pipeline),
        advice=advice_for(Tier(found["score_category"])),
        talks=told.talks(full=full),
        points=point_bars(_until(told.awards(), then)),
        evidence=_evidence(found["explanation"], full=full),
        profiles=[(NAMES[Profile(name)], one) for name, one in found["profiles"].items()],
        entries=entries,
        older=older,
        asked=asked,
        chapters=CHAPTERS,
        then=then,
        series=_series(found["score_history"]),
        zone=str(wording.time_zone()),
        forms=lead_forms,
        people=_colleagues(),
        campaigns=services().lead_choices.campaigns() if found["outcome"] else [],
        changed=changed or [],
        now=resources().clock.now(),
        now_iso=iso(resources().clock.now()),
        names=NAMES,
    )


def _asked() -> Page:
    """What the address asks; a form that is sent asks for nothing beside itself."""
    given = request.args
    text = given.get("as_of", "")
    try:
        as_of = wording.from_local(text) if text else None
    except (ValueError, OverflowError):
        raise invalid_field("as_of", "This is no date and time.") from None
    before = given.get("before", "")
    number = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    return Page(read_chapter(given.get("show")), number, as_of, given.get("from") == "now")


def _shown(told: ToldLead, *, full: bool) -> dict[str, Any]:
    """The person as whoever looks may see them."""
    profile = told.profile(full=full)
    known = {name for name, _ in FIELDS} | {"name"}
    return {
        "name": masking.label(profile["name"], told.lead.id, profile["company"]),
        "fields": [(label, profile[name], name) for name, label in FIELDS],
        "attributes": sorted(
            (k, v) for k, v in profile.items() if k not in known and v is not None
        ),
        "phone": profile["phone"] if full else None,
        "email": profile["email"] if full else None,
    }


def _masked(found: dict[str, Any], *, full: bool) -> dict[str, Any]:
    """Without what sales wrote about the person, for who may not read it."""
    if full:
        return found
    activities = [{**one, "note": None} for one in found["activities"]]
    follow_ups = [{**one, "note": None} for one in found["follow_ups"]]
    return {**found, "activities": activities, "follow_ups": follow_ups}


def _evidence(explanation: dict[str, Any] | None, *, full: bool) -> dict[str, Any] | None:
    """The model's reasons as bars; they name what the person said, so not everybody reads them."""
    if explanation is None:
        return None
    return {
        **explanation,
        "bars": evidence_bars(explanation, full=full, most=MOST_REASONS),
        "whole": evidence_bars(explanation, full=full),
    }


def _until(awards: list[Award], then: Then | None) -> list[Award]:
    return awards if then is None else [one for one in awards if one.at <= then.at]


def _series(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How each profile's score went, as the chart takes it."""
    found: dict[str, list[tuple[float, float]]] = {}
    for point in history:
        at = datetime.fromisoformat(point["recorded_at"]).timestamp()
        found.setdefault(point["profile"], []).append((at, point["score"]))
    return [
        {"name": NAMES[Profile(name)], "points": sorted(points)} for name, points in found.items()
    ]


def _is_stagnant(told: ToldLead, pipeline: Pipeline) -> bool:
    stage = pipeline.find(told.lead.stage)
    since = told.lead.staged_at or told.lead.created_at
    days = (resources().clock.now() - since).total_seconds() / 86400
    return stage is not None and stage.kind is StageKind.OPEN and stage.is_stagnant(days)


def _colleagues() -> list[tuple[str, str]]:
    """To whom this person may give a lead."""
    if not me().may(Permission.LEADS_MANAGE):
        return []
    return [(one.email, one.name) for one in services().people.list_all()]


def address(lead_id: int, **more: Any) -> str:
    """Where the page of a lead stands."""
    return url_for("console_lead.lead", lead_id=lead_id, **more)
