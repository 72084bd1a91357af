"""SourceFigures: what each source of visitors brings, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    sessions_of,
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
        counts = self._counts(period)
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

    def _counts(self, period: Period) -> dict[str, dict[str, int]]:
        rows = self.session.execute(
            sessions_of(
                period,
                SOURCE.label("source"),
                func.count().label("sessions"),
                func.sum(Conversation.score).label("points"),
                count_if(IS_COMPLETED).label("completion"),
                count_if(HAS_CONTACT).label("contact"),
                count_if(IS_SQL).label("qualified"),
                count_if(Lead.outcome == str(Outcome.WON)).label("won"),
                count_if(Lead.outcome.is_not(None)).label("ended"),
            )
            .group_by(SOURCE)
            .order_by(func.count().desc(), SOURCE)
        )
        found: dict[str, dict[str, int]] = {}
        for row in rows.mappings():
            name = row["source"] if len(found) < MOST_SHOWN else OTHERS
            numbers = whole({key: one for key, one in row.items() if key != "source"})
            before = found.get(name, dict.fromkeys(numbers, 0))
            found[name] = {key: before[key] + one for key, one in numbers.items()}
        return found


def _shares(counts: Mapping[str, Mapping[str, int]], measure: str) -> dict[str, Share]:
    """A measure of each source; of sales only those count that have ended."""
    of = "ended" if measure == "won" else "sessions"
    return {source: Share(one[measure], one[of]) for source, one in counts.items()}


def _sum(shares: Mapping[str, Share]) -> Share:
    return Share(sum(s.part for s in shares.values()), sum(s.whole for s in shares.values()))
