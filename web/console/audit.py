"""Audit log: who changed what, and when."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import marshmallow
from flask import request, url_for
from marshmallow import fields, validate

from engine.policy import Permission
from web.console.frame import Pages, read_query, show
from web.console.wording import time_zone
from web.unit_of_work import services

pages = Pages("audit", __name__)


class AuditQuery(marshmallow.Schema):
    """Whose changes, of which kind, from which days."""

    actor = fields.String(load_default=None, validate=validate.Length(max=255))
    action = fields.String(load_default=None, validate=validate.Length(max=64))
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
        start=_midnight(asked["first"], 0),
        end=_midnight(asked["last"], 1),
        before=asked["before"],
    )
    return show(
        "audit/list.html",
        found=found,
        actors=log.actors(),
        actions=log.actions(),
        asked=asked,
        older=_older(found.older_than),
    )


def _older(before: int | None) -> str | None:
    """The address of the next page under the same filters."""
    if before is None:
        return None
    names = ("actor", "action", "from", "to")
    kept: dict[str, Any] = {name: request.args[name] for name in names if request.args.get(name)}
    return url_for("console_audit.audit", **kept, before=before)


def _midnight(day: date | None, days: int) -> datetime | None:
    """The beginning of a day in the reader's zone, so many days later."""
    if day is None or not 1900 <= day.year <= 9998:
        return None
    return datetime.combine(day + timedelta(days=days), time(), tzinfo=time_zone())
