"""Audit log: who changed what, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import marshmallow
from flask import request, url_for
from marshmallow import fields, validate

from engine.audit_words import KINDS, prefixes_of, told
from engine.policy import Permission
from services.audit_log import Entry
from web.console.frame import Pages, read_query, show
from web.console.wording import time_zone
from web.unit_of_work import services

pages = Pages("audit", __name__)


@dataclass(frozen=True)
class Line:
    """An entry as the page says it."""

    entry: Entry
    who: str
    what: str
    # Whose page has the rest.
    lead: int | None


class AuditQuery(marshmallow.Schema):
    """Whose changes, of which kind, from which days."""

    actor = fields.String(load_default=None, validate=validate.Length(max=255))
    action = fields.String(load_default=None, validate=validate.Length(max=64))
    kind = fields.String(load_default=None, validate=validate.OneOf(list(KINDS)))
    first = fields.Date(load_default=None, data_key="from")
    last = fields.Date(load_default=None, data_key="to")
    before = fields.Integer(load_default=None, validate=validate.Range(1, 2**63 - 1))


@pages.page("/audit", needs=Permission.ADMIN)
def audit() -> str:
    """Changes, the newest first."""
    asked = read_query(AuditQuery)
    log = services().audit_log
    found = log.page(
        actor=asked["actor"],
        action=asked["action"],
        starts=prefixes_of(asked["kind"]) if asked["kind"] else (),
        start=_midnight(asked["first"], 0),
        end=_midnight(asked["last"], 1),
        before=asked["before"],
    )
    names = log.names()
    return show(
        "audit/list.html",
        found=found,
        lines=[_line(one, names) for one in found.entries],
        actors=[(one, names.get(one, one)) for one in log.actors()],
        kinds=[(name, label) for name, (label, _) in KINDS.items()],
        asked=asked,
        older=_older(found.older_than),
    )


def _line(entry: Entry, names: Mapping[str, str]) -> Line:
    lead = entry.subject.removeprefix("lead ")
    return Line(
        entry=entry,
        who=names.get(entry.actor, entry.actor),
        what=told(entry.action, entry.subject, entry.detail, names),
        lead=int(lead) if lead != entry.subject and lead.isdecimal() else None,
    )


def _older(before: int | None) -> str | None:
    """The address of the next page under the same filters."""
    if before is None:
        return None
    names = ("actor", "action", "kind", "from", "to")
    kept: dict[str, Any] = {name: request.args[name] for name in names if request.args.get(name)}
    return url_for("console_audit.audit", **kept, before=before)


def _midnight(day: date | None, days: int) -> datetime | None:
    """The beginning of a day in the reader's zone, so many days later."""
    if day is None or not 1900 <= day.year <= 9998:
        return None
    return datetime.combine(day + timedelta(days=days), time(), tzinfo=time_zone())
