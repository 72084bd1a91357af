"""SourceFigures: what each source of visitors brings, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from engine.periods import Period
from engine.rates import Compared, Share, compare
from engine.source_advice import Advice, advise
from engine.vocabulary import Outcome
from models import Conversation, Lead
from services.figure_scope import (
    HAS_CONTACT,
    IS_COMPLETED,
    IS_SQL,
    SOURCE,
    count_if,
    lies_in,
    sessions_of,
    span_of,
    whole,
)
from services.resources import Resources

# A link can carry any source; beyond so many they are counted together.
MOST_SHOWN = 25
OTHERS = "(all others)"
MEASURES = ("completion", "contact", "qualified", "won")


@dataclass(frozen=True)
class SourceRow:
    """A source, its sessions, and each measure compared with all other sources."""

    source: str
    sessions: int
    average_score: float | None
    measures: Mapping[str, Compared]


@dataclass(frozen=True)
class Sources:
    """All sources, the largest first, what they come to together, and advice."""

    rows: Sequence[SourceRow]
    sessions: int
    total: Mapping[str, Share]
    advice: Sequence[Advice]


class SourceFigures:
    """Reads sessions with their leads; writes nothing."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def find(self, period: Period) -> Sources:
        """What the sources of a period's sessions brought, until now."""
        (found,) = self.find_each(period)
        return found

    def find_each(self, *periods: Period) -> list[Sources]:
        """The same for each of some periods, in one walk."""
        return [_sources(counts) for counts in self._counts(periods)]

    def _counts(self, periods: Sequence[Period]) -> list[dict[str, dict[str, int]]]:
        """Of each period what its sources brought, the largest first."""
        moment = Conversation.started_at.expression
        facts = {
            "completion": IS_COMPLETED,
            "contact": HAS_CONTACT,
            "qualified": IS_SQL,
            "won": Lead.outcome == str(Outcome.WON),
            "ended": Lead.outcome.is_not(None),
        }
        columns: list[Any] = []
        for inside in (lies_in(period, moment) for period in periods):
            points = func.sum(Conversation.score).filter(inside)
            columns += [count_if(inside), points]
            columns += [count_if(inside & fact) for fact in facts.values()]
        statement = sessions_of(span_of(periods), SOURCE, *columns).group_by(SOURCE)
        rows = self.session.execute(statement).all()
        names = ("sessions", "points", *facts)
        width = len(names)
        return [
            _largest(
                {
                    row[0]: whole(dict(zip(names, row[place : place + width], strict=True)))
                    for row in rows
                    if row[place]
                }
            )
            for place in range(1, 1 + len(columns), width)
        ]


def _largest(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """The largest sources, and the small ones behind them together."""
    found: dict[str, dict[str, int]] = {}
    for source, one in sorted(counts.items(), key=lambda pair: (-pair[1]["sessions"], pair[0])):
        name = source if len(found) < MOST_SHOWN else OTHERS
        before = found.get(name, dict.fromkeys(one, 0))
        found[name] = {key: before[key] + number for key, number in one.items()}
    return found


def _sources(counts: Mapping[str, Mapping[str, int]]) -> Sources:
    tables = {name: _shares(counts, name) for name in MEASURES}
    compared = {name: compare(shares) for name, shares in tables.items()}
    rows = [
        SourceRow(
            source,
            one["sessions"],
            one["points"] / one["sessions"] if one["sessions"] else None,
            {name: compared[name][source] for name in MEASURES},
        )
        for source, one in counts.items()
    ]
    sessions = sum(one["sessions"] for one in counts.values())
    advice = [one for one in advise(tables["qualified"]) if one.source != OTHERS]
    return Sources(rows, sessions, {k: _sum(v) for k, v in tables.items()}, advice)


def _shares(counts: Mapping[str, Mapping[str, int]], measure: str) -> dict[str, Share]:
    """A measure of each source; of sales only those count that have ended."""
    of = "ended" if measure == "won" else "sessions"
    return {source: Share(one[measure], one[of]) for source, one in counts.items()}


def _sum(shares: Mapping[str, Share]) -> Share:
    return Share(sum(s.part for s in shares.values()), sum(s.whole for s in shares.values()))
