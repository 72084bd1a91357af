"""Dashboards: how the shop does, where visitors leave, what sources bring, who works how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Response, redirect, request, url_for
from werkzeug.exceptions import NotFound

from engine.policy import Permission
from services.funnel_figures import FunnelFigures
from services.overview_figures import OverviewFigures
from services.segment_figures import MEASURES, SegmentFigures
from services.source_figures import SourceFigures
from services.team_figures import TeamFigures
from web.console import dashboard_tables as tables
from web.console.frame import Pages, me, show
from web.console.masking import sees_personal
from web.console.ranges import Chosen, chosen
from web.console.tables import csv_reply
from web.unit_of_work import services

F = TypeVar("F")

pages = Pages("dashboard", __name__)
FIRST_DIMENSION = "session:utm_source"
TABS = (
    ("overview", "Overview", "gauge"),
    ("funnel", "Funnel", "filter"),
    ("sources", "Sources", "radio-tower"),
    ("segments", "Segments", "chart-pie"),
    ("team", "Team", "trophy"),
)


@pages.page("/dashboard", needs=Permission.ANALYTICS_READ)
def overview() -> str:
    """How many came, how good they were, how sales ended."""
    return _show("overview")


@pages.page("/dashboard/funnel", needs=Permission.ANALYTICS_READ)
def funnel() -> str:
    """How far conversations come."""
    return _show("funnel")


@pages.page("/dashboard/sources", needs=Permission.ANALYTICS_READ)
def sources() -> str:
    """What each source brings."""
    return _show("sources")


@pages.page("/dashboard/segments", needs=Permission.ANALYTICS_READ)
def segments() -> str:
    """Any answer, field or source against a rate."""
    return _show("segments")


@pages.page("/dashboard/team", needs=Permission.ANALYTICS_READ)
def team() -> str:
    """Who works how, and how soon."""
    return _show("team")


@pages.page("/dashboard/<tab>/<name>.csv", needs=Permission.ANALYTICS_READ)
def download(tab: str, name: str) -> Response:
    """A table of a dashboard for a spreadsheet; it holds counts, and nobody's data."""
    if tab not in _FIGURES:
        raise NotFound()
    when = chosen()
    table = _FIGURES[tab](when)["tables"].get(name)
    if table is None:
        raise NotFound()
    return csv_reply(table, f"leadline-{name}-{when.period.first}-{when.period.last}")


# Where older programs had these pages.
@pages.get("/dashboard-enhanced/")
def older_dashboard() -> Any:
    """On to the dashboards."""
    return redirect(url_for("console_dashboard.overview"), 301)


@pages.get("/leads/source-heatmap/")
def older_heatmap() -> Any:
    """On to the sources."""
    return redirect(url_for("console_dashboard.sources"), 301)


@pages.get("/leads/performance/")
def older_performance() -> Any:
    """On to the team."""
    return redirect(url_for("console_agents.agents"), 301)


def _show(tab: str) -> str:
    when = chosen()
    context = _FIGURES[tab](when)
    return show(
        f"dashboard/{tab}.html",
        tab=tab,
        tabs=TABS,
        when=when,
        is_narrowed=not me().may(Permission.LEADS_ALL),
        query={**when.query, **context.get("more", {})},
        **context,
    )


def _overview(when: Chosen) -> dict[str, Any]:
    figures = services().make(OverviewFigures)
    found, priorities = figures.find(when.period), figures.priorities()
    return {
        "found": found,
        "priorities": priorities,
        "tables": tables.overview(found, priorities),
    }


def _funnel(when: Chosen) -> dict[str, Any]:
    asked = request.args.get("version", "")
    version = int(asked) if asked.isdecimal() and len(asked) < 10 else None
    figures = services().make(FunnelFigures)
    found = figures.find(when.period, version)
    before = figures.find(when.before, found.version) if when.before else None
    more = {"version": str(found.version)} if found.version is not None else {}
    return {
        "found": found,
        "before": before,
        "tables": tables.funnel(found, before),
        "more": more,
    }


def _sources(when: Chosen) -> dict[str, Any]:
    found, before = _beside(services().make(SourceFigures).find_each(*when.periods))
    labels = tables.MEASURE_LABELS
    return {
        "found": found,
        "before": before,
        "before_rows": {row.source: row for row in before.rows} if before else {},
        "tables": tables.sources(found, before),
        "labels": labels,
        "standings": tables.STANDINGS,
    }


def _segments(when: Chosen) -> dict[str, Any]:
    figures, personal = services().make(SegmentFigures), sees_personal()
    by = request.args.get("by", FIRST_DIMENSION)
    measure = request.args.get("measure", "qualified")
    each = figures.find_each(when.periods, by, measure, personal=personal)
    found, before = _beside(each)
    groups: dict[str, list[Any]] = {}
    for one in figures.dimensions(personal=personal):
        groups.setdefault(one.group, []).append(one)
    return {
        "found": found,
        "groups": groups,
        "measures": MEASURES,
        "before": before,
        "tables": tables.segments(found, before),
        "more": {"by": by, "measure": measure},
    }


def _team(when: Chosen) -> dict[str, Any]:
    found, before = _beside(services().make(TeamFigures).find_each(*when.periods))
    return {"found": found, "before": before, "tables": tables.team(found, before)}


def _beside(each: Sequence[F]) -> tuple[F, F | None]:
    """The figures of the days, and those of the days before where they are compared."""
    return each[0], each[1] if len(each) > 1 else None


_FIGURES: dict[str, Callable[[Chosen], dict[str, Any]]] = {
    "overview": _overview,
    "funnel": _funnel,
    "sources": _sources,
    "segments": _segments,
    "team": _team,
}
