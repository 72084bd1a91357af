"""How the console writes moments, numbers and money, in the reader's own time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import g
from markupsafe import Markup

from engine.money import money as amount
from lib.clock import iso, zone
from services.workspace_service import Workspace, WorkspaceService
from web.sign_in import signed_in
from web.unit_of_work import resources, services

UNITS = ((86400 * 365, "y"), (86400 * 30, "mo"), (86400, "d"), (3600, "h"), (60, "min"))


def time_zone() -> ZoneInfo:
    """The reader's time zone; UTC where none is known."""
    found: ZoneInfo | None = g.get("time_zone")
    if found is None:
        person = signed_in()
        try:
            found = zone(person.time_zone or workspace().time_zone if person else None)
        except ValueError:
            found = zone(None)
        g.time_zone = found
    return found


def workspace() -> Workspace:
    """The currency and the time zone of this installation."""
    found: Workspace | None = g.get("workspace")
    if found is None:
        # A page that says what went wrong has no transaction to ask in.
        is_open = "services" in g
        found = services().make(WorkspaceService).settings() if is_open else Workspace("USD", "UTC")
        g.workspace = found
    return found


def as_moment(value: datetime | str | None) -> datetime | None:
    """A moment of the database or of the wire (ISO 8601)."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if value is None or value.tzinfo is not None:
        return value
    return value.replace(tzinfo=UTC)


def moment(value: datetime | str | None, *, empty: str = "–") -> Markup:
    """A moment as a person reads it: "21 Nov 2026, 16:04"; exact and with its zone on hover."""
    at = as_moment(value)
    if at is None:
        return Markup(empty)
    local = at.astimezone(time_zone())
    text = f"{local.day} {local:%b %Y, %H:%M}"
    return _time(at, text, f"{local:%A}, {text} {local.tzname()}")


def day(value: datetime | str | None, *, empty: str = "–") -> Markup:
    """The day of a moment: "21 Nov 2026"."""
    at = as_moment(value)
    if at is None:
        return Markup(empty)
    local = at.astimezone(time_zone())
    return _time(at, f"{local.day} {local:%b %Y}", f"{local:%A, %H:%M} {local.tzname()}")


def ago(value: datetime | str | None, *, empty: str = "–") -> Markup:
    """How long since, or until: "5 min ago", "in 3 d"."""
    at = as_moment(value)
    if at is None:
        return Markup(empty)
    local = at.astimezone(time_zone())
    title = f"{local.day} {local:%b %Y, %H:%M} {local.tzname()}"
    passed = resources().clock.now() - at
    text = span_text(passed)
    return _time(at, "just now" if text == "now" and passed >= timedelta() else text, title)


def span_text(passed: timedelta) -> str:
    """A time span in words: "3 h ago", "in 2 d", "now"."""
    seconds = passed.total_seconds()
    for size, unit in UNITS:
        if abs(seconds) >= size:
            count = int(abs(seconds) // size)
            return f"{count} {unit} ago" if seconds > 0 else f"in {count} {unit}"
    return "now"


def percent(value: float | None, *, digits: int = 0, empty: str = "–") -> str:
    """A share as per cent: 0.234 is "23 %"."""
    return empty if value is None else f"{value * 100:.{digits}f} %"


def number(value: float | None, *, digits: int = 0, empty: str = "–") -> str:
    """A number with thin spaces between thousands."""
    if value is None:
        return empty
    return f"{value:,.{digits}f}".replace(",", "\u202f")


def money(value: float | None, *, digits: int = 0, empty: str = "–") -> str:
    """An amount in the workspace's currency: "₹1 250"."""
    return empty if value is None else amount(value, workspace().currency, digits)


def currency() -> str:
    """The letters of the workspace's currency."""
    return workspace().currency


def calendar_day(value: date | str | None, *, empty: str = "–") -> str:
    """A day that belongs to no clock: 2026-11-21 is "21 Nov 2026"."""
    if value is None:
        return empty
    on = date.fromisoformat(value[:10]) if isinstance(value, str) else value
    return f"{on.day} {on:%b %Y}"


def local_input(value: datetime | str | None) -> str:
    """A moment as a `datetime-local` field holds it, in the reader's zone; "" for none."""
    at = as_moment(value)
    return "" if at is None else f"{at.astimezone(time_zone()):%Y-%m-%dT%H:%M}"


def from_local(text: str) -> datetime:
    """The moment that a `datetime-local` field of the reader names; ValueError where none is.

    An hour that the clocks skip is read as the hour after it, one that comes twice as the first.
    """
    naive = datetime.fromisoformat(text)
    if naive.tzinfo is not None:
        return naive.astimezone(UTC)
    return naive.replace(tzinfo=time_zone()).astimezone(UTC)


def _time(at: datetime, text: str, title: str) -> Markup:
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        iso(at, "seconds"), title, text
    )
