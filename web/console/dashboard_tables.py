"""The figures of each dashboard as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.rates import Compared, Share
from engine.vocabulary import Classification, Tier
from services.funnel_figures import Funnel
from services.overview_figures import DayCounts, PriorityRow
from services.segment_figures import Segments
from services.source_figures import MEASURES, Sources
from services.team_figures import Counted, Team
from web.console.tables import Column, Table

Tables = Mapping[str, Table]
MEASURE_LABELS = {
    "completion": "Answered to the end",
    "contact": "Contact shared",
    "qualified": "Qualified (SQL)",
    "won": "Won",
}
STANDINGS = {
    "above": "above the others",
    "average": "like the others",
    "below": "below the others",
    "too_few": "too few to say",
}


def overview(days: Sequence[DayCounts], priorities: Sequence[PriorityRow]) -> Tables:
    """Classes and tiers over time, and what waits now."""
    return _named(
        _curve("classes", "Sessions by class", [str(one) for one in Classification], days),
        _curve("tiers", "Sessions by tier", [str(one) for one in Tier], days),
        Table(
            "priorities",
            "Open leads by priority, now",
            (
                Column("tier", "Priority"),
                Column("leads", "Open leads", "number"),
                Column("without_owner", "Without an owner", "number"),
                Column("action", "What it asks for"),
            ),
            [vars(row) for row in priorities],
        ),
    )


def funnel(found: Funnel) -> Tables:
    """The way and the questions on it."""
    steps = [
        {"name": step.name, "meaning": step.meaning, **_share("share", step.share)}
        for step in found.steps
    ]
    questions = [
        {
            "text": row.text,
            "reached": row.reached,
            "answered": row.answered,
            "skipped": row.skipped,
            "here": row.here,
            **_share("left", row.drop_off),
        }
        for row in found.questions
    ]
    return _named(
        Table(
            "steps",
            "From the first word to the deal",
            (
                Column("name", "Step"),
                Column("share_part", "Sessions", "number"),
                Column("share_rate", "Of all that opened", "percent"),
                Column("meaning", "Counted are"),
            ),
            steps,
        ),
        Table(
            "questions",
            "Where visitors leave",
            (
                Column("text", "Question"),
                Column("reached", "Reached here", "number", "answered, skipped or standing here"),
                Column("answered", "Answered", "number"),
                Column("skipped", "Skipped", "number"),
                Column("here", "Still here", "number", "active in the last 30 minutes"),
                Column("left_part", "Left here", "number", "stand here and are gone"),
                Column("left_rate", "Drop-off", "percent", "left here / reached here"),
                Column("left_interval", "95 % interval", "interval"),
            ),
            questions,
        ),
    )


def sources(found: Sources) -> Tables:
    """Sources by measures, and the advice that follows."""
    columns = [Column("source", "Source"), Column("sessions", "Sessions", "number")]
    for name in MEASURES:
        label = MEASURE_LABELS[name]
        columns += [
            Column(f"{name}_part", f"{label}: number", "number"),
            Column(f"{name}_whole", f"{label}: of", "number"),
            Column(f"{name}_rate", f"{label}: rate", "percent"),
            Column(f"{name}_standing", f"{label}: compared"),
        ]
    columns.append(Column("score", "Average points", "points"))
    rows = []
    for row in found.rows:
        cells: dict[str, Any] = {"source": row.source, "sessions": row.sessions}
        for name, compared in row.measures.items():
            cells |= _share(name, compared.share)
            cells[f"{name}_standing"] = STANDINGS[compared.standing]
        rows.append({**cells, "score": row.average_score})
    advice = [vars(one) for one in found.advice]
    return _named(
        Table("sources", "Sources", columns, rows),
        Table(
            "advice",
            "What the figures advise",
            (Column("source", "Source"), Column("action", "Do"), Column("reason", "Because")),
            advice,
        ),
    )


def segments(found: Segments) -> Tables:
    """The parts of one dimension."""
    rows = [{"segment": name, **_compared("share", one)} for name, one in found.rows]
    return _named(
        Table(
            "segments",
            found.dimension.label,
            (
                Column("segment", "Segment"),
                Column("share_part", "Did it", "number"),
                Column("share_whole", "Of", "number"),
                Column("share_rate", "Rate", "percent"),
                Column("share_interval", "95 % interval", "interval"),
                Column("share_others", "All others", "percent"),
                Column("share_standing", "Compared", "standing"),
            ),
            rows,
        )
    )


def team(found: Team) -> Tables:
    """People and how soon leads were touched."""
    agents = [
        {
            "name": row.name,
            "open": row.open_leads,
            "leads": row.leads,
            "activities": row.activities,
            **_share("contact", row.contact),
            **_share("conversion", row.conversion),
            **_share("wins", row.wins),
            "value": row.won_value,
            "median": row.speed.median,
            "p90": row.speed.p90,
        }
        for row in found.agents
    ]
    return _named(
        Table("agents", "People", _AGENT_COLUMNS, agents),
        Table(
            "waits",
            "How soon leads were first touched",
            (Column("wait", "First touch"), Column("leads", "Leads", "number")),
            [{"wait": name, "leads": count} for name, count in found.waits],
        ),
    )


def counted(found: Counted) -> Table:
    """The whole team by the hour's count."""
    return Table(
        "counted",
        "The whole team",
        (
            Column("name", "Name"),
            Column("leads", "Leads", "number"),
            Column("open", "Open", "number"),
            Column("won", "Won", "number"),
            Column("lost", "Lost", "number"),
            Column("activities", "Activities, 30 days", "number"),
            Column("overdue", "Overdue follow-ups", "number"),
        ),
        [vars(row) for row in found.rows],
    )


_AGENT_COLUMNS = (
    Column("name", "Name"),
    Column("open", "In hand", "number", "open leads of theirs, now"),
    Column("leads", "New leads", "number", "leads of theirs that came in these days"),
    Column("activities", "Activities", "number", "calls, e-mails, meetings they logged"),
    Column("contact_part", "Contacted", "number"),
    Column("contact_rate", "Contact rate", "percent", "new leads touched / new leads"),
    Column("conversion_part", "Converted", "number"),
    Column("conversion_rate", "Conversion", "percent", "new leads won by now / new leads"),
    Column("wins_part", "Won", "number"),
    Column("wins_whole", "Ended", "number"),
    Column("wins_rate", "Win rate", "percent", "sales won / sales that ended in these days"),
    Column("value", "Won value", "money"),
    Column("median", "First touch, median", "minutes"),
    Column("p90", "First touch, 90 %", "minutes"),
)


def _curve(name: str, title: str, keys: list[str], days: Sequence[DayCounts]) -> Table:
    columns = [Column("day", "Day"), *(Column(key, key, "number") for key in keys)]
    return Table(name, title, columns, [{"day": one.day, **getattr(one, name)} for one in days])


def _share(name: str, share: Share) -> dict[str, Any]:
    return {
        f"{name}_part": share.part,
        f"{name}_whole": share.whole,
        f"{name}_rate": share.rate,
        f"{name}_interval": share.interval if share.whole else None,
    }


def _compared(name: str, one: Compared) -> dict[str, Any]:
    return {
        **_share(name, one.share),
        f"{name}_others": one.others.rate,
        f"{name}_standing": STANDINGS[one.standing],
        "key": str(one.standing),
    }


def _named(*tables: Table) -> Tables:
    return {table.name: table for table in tables}
