"""The figures of each dashboard as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.rates import Compared, Share
from engine.vocabulary import Classification, Tier
from services.funnel_figures import Funnel
from services.overview_figures import DayCounts, Overview, PriorityRow
from services.segment_figures import Segments
from services.source_figures import MEASURES, Sources
from services.team_figures import AgentRow, Counted, Team
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


def overview(found: Overview, priorities: Sequence[PriorityRow]) -> Tables:
    """The figures beside those of before, classes and tiers over time, and what waits now."""
    days = found.days
    return _named(
        Table(
            "figures",
            "Figures",
            (
                Column("name", "Figure"),
                *(Column(key, label) for key, label in _FIGURE_COLUMNS.items()),
            ),
            [_figure(name, key, found) for key, name in _FIGURES.items()],
        ),
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


_FIGURES = {
    "sessions": "Sessions",
    "qualification": "Qualification rate",
    "contact": "Contact rate",
    "completion": "Completion rate",
    "wins": "Win rate",
    "won_value": "Won value",
    "average_score": "Average points",
}
_FIGURE_COLUMNS = {
    "now": "Now",
    "part": "Part",
    "whole": "Of",
    "then": "Before",
    "part_then": "Part before",
    "whole_then": "Of before",
}


def _figure(name: str, key: str, found: Overview) -> dict[str, Any]:
    now, then = getattr(found.now, key), getattr(found.before, key)
    if not isinstance(now, Share):
        return {"name": name, "now": now, "then": then}
    parts = {"part": now.part, "whole": now.whole, "part_then": then.part, "whole_then": then.whole}
    return {"name": name, "now": now.rate, "then": then.rate, **parts}


def funnel(found: Funnel, before: Funnel | None = None) -> Tables:
    """The way and the questions on it, and what they were before."""
    return _named(_steps(found, before), _questions(found, before))


def _steps(found: Funnel, before: Funnel | None) -> Table:
    then = {step.name: step.share for step in before.steps} if before else {}
    columns = _compared_with(
        before,
        Column("name", "Step"),
        Column("share_part", "Sessions", "number", was="share_part_before"),
        Column("share_rate", "Of all that opened", "percent", was="share_before"),
        Column("meaning", "Counted are"),
    )
    rows = [
        {
            "name": step.name,
            "meaning": step.meaning,
            **_share("share", step.share),
            **_before("share", then.get(step.name)),
        }
        for step in found.steps
    ]
    return Table("steps", "From the first word to the deal", columns, rows)


def _questions(found: Funnel, before: Funnel | None) -> Table:
    then = {row.question_id: row.drop_off for row in before.questions} if before else {}
    columns = _compared_with(
        before,
        Column("text", "Question"),
        Column("reached", "Reached here", "number", "answered, skipped or standing here"),
        Column("answered", "Answered", "number"),
        Column("skipped", "Skipped", "number"),
        Column("here", "Still here", "number", "active in the last 30 minutes"),
        Column("left_part", "Left here", "number", "stand here and are gone"),
        Column("left_rate", "Drop-off", "percent", "left here / reached here", "left_before"),
        Column("left_interval", "95 % interval", "interval"),
    )
    rows = [
        {
            "text": row.text,
            "reached": row.reached,
            "answered": row.answered,
            "skipped": row.skipped,
            "here": row.here,
            **_share("left", row.drop_off),
            **_before("left", then.get(row.question_id)),
        }
        for row in found.questions
    ]
    return Table("questions", "Where visitors leave", columns, rows)


def sources(found: Sources, before: Sources | None = None) -> Tables:
    """Sources by measures, what they were before, and the advice that follows."""
    then = {row.source: row for row in before.rows} if before else {}
    sessions = Column("sessions", "Sessions", "number", was="sessions_before")
    columns = [Column("source", "Source"), sessions]
    for name in MEASURES:
        label = MEASURE_LABELS[name]
        columns += [
            Column(f"{name}_part", f"{label}: number", "number"),
            Column(f"{name}_whole", f"{label}: of", "number"),
            Column(f"{name}_rate", f"{label}: rate", "percent", was=f"{name}_before"),
            Column(f"{name}_standing", f"{label}: compared"),
        ]
    columns.append(Column("score", "Average points", "points"))
    rows = []
    for row in found.rows:
        cells: dict[str, Any] = {"source": row.source, "sessions": row.sessions}
        earlier = then.get(row.source)
        cells["sessions_before"] = earlier.sessions if earlier else 0
        for name, compared in row.measures.items():
            cells |= _share(name, compared.share)
            was = earlier.measures[name].share if earlier else None
            cells |= _before(name, was)
            cells[f"{name}_standing"] = STANDINGS[compared.standing]
        rows.append({**cells, "score": row.average_score})
    advice = [vars(one) for one in found.advice]
    return _named(
        Table("sources", "Sources", _compared_with(before, *columns), rows),
        Table(
            "advice",
            "What the figures advise",
            (Column("source", "Source"), Column("action", "Do"), Column("reason", "Because")),
            advice,
        ),
    )


def segments(found: Segments, before: Segments | None = None) -> Tables:
    """The parts of one dimension, and what they were before."""
    then = {name: one.share for name, one in before.rows} if before else {}
    rows = [
        {"segment": name, **_compared("share", one), **_before("share", then.get(name))}
        for name, one in found.rows
    ]
    return _named(
        Table(
            "segments",
            found.dimension.label,
            _compared_with(
                before,
                Column("segment", "Segment"),
                Column("share_part", "Did it", "number"),
                Column("share_whole", "Of", "number"),
                Column("share_rate", "Rate", "percent", was="share_before"),
                Column("share_interval", "95 % interval", "interval"),
                Column("share_others", "All others", "percent"),
                Column("share_standing", "Compared", "standing"),
            ),
            rows,
        )
    )


def team(found: Team, before: Team | None = None) -> Tables:
    """People and how soon leads were touched, and what it was before."""
    then = {row.email: row for row in before.agents} if before else {}
    waited = dict(before.waits) if before else {}
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
            **_agent_before(then.get(row.email)),
        }
        for row in found.agents
    ]
    return _named(
        Table("agents", "People", _compared_with(before, *_AGENT_COLUMNS), agents),
        Table(
            "waits",
            "How soon leads were first touched",
            _compared_with(
                before,
                Column("wait", "First touch"),
                Column("leads", "Leads", "number", was="before"),
            ),
            [
                {"wait": name, "leads": count, "before": waited.get(name, 0)}
                for name, count in found.waits
            ],
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
    Column(
        "leads",
        "New leads",
        "number",
        "leads of theirs that came in these days",
        was="leads_before",
    ),
    Column(
        "activities",
        "Activities",
        "number",
        "calls, e-mails, meetings they logged",
        was="activities_before",
    ),
    Column("contact_part", "Contacted", "number"),
    Column(
        "contact_rate",
        "Contact rate",
        "percent",
        "new leads touched / new leads",
        was="contact_before",
    ),
    Column("conversion_part", "Converted", "number"),
    Column(
        "conversion_rate",
        "Conversion",
        "percent",
        "new leads won by now / new leads",
        was="conversion_before",
    ),
    Column("wins_part", "Won", "number"),
    Column("wins_whole", "Ended", "number"),
    Column(
        "wins_rate",
        "Win rate",
        "percent",
        "sales won / sales that ended in these days",
        was="wins_before",
    ),
    Column("value", "Won value", "money", was="value_before"),
    Column("median", "First touch, median", "minutes", was="median_before"),
    Column("p90", "First touch, 90 %", "minutes"),
)


def _agent_before(then: AgentRow | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("contact", "conversion", "wins"):
        found |= _before(name, getattr(then, name) if then else None)
    return {
        **found,
        "leads_before": then.leads if then else 0,
        "activities_before": then.activities if then else 0,
        "value_before": then.won_value if then else 0.0,
        "median_before": then.speed.median if then else None,
    }


def _compared_with(before: object | None, *columns: Column) -> Sequence[Column]:
    """The columns, without what was before where nobody compares."""
    return columns if before else [replace(column, was="") for column in columns]


def _before(name: str, then: Share | None) -> dict[str, Any]:
    """What a rate was; nothing where there was none."""
    return {
        f"{name}_part_before": then.part if then else 0,
        f"{name}_before": then.rate if then else None,
    }


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
