"""ExperimentShadows: points tried in shadow: every visitor scored by each arm, none by another.

The statistics are imported where they are called: a worker that serves chats needs none of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from engine.experiment_arms import shown
from engine.goals import noun_of, stored_metric
from engine.journey import Fact
from engine.shadow import Shadow, shadow_of
from engine.vocabulary import Classification
from engine.workflow import Workflow
from engine.workflow_reader import WorkflowInvalid
from models import Conversation, Conversion, Event, Exposure, Lead
from services.experiment_reading import Reading
from services.resources import Resources
from services.workflow_service import WorkflowService

if TYPE_CHECKING:
    from engine.statistics.ranking import Ranked

# The newest conversations whose window has closed; each is scored once for every arm.
MOST_SCORED = 1_500
AT_ONCE = 250
# A score is taken this long after the exposure: what came later may be the outcome's own doing.
SCORED_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Scored:
    """A conversation under each arm's points, and whether its visitor came to the goal later."""

    shadows: Mapping[str, Shadow]
    came: bool


class ExperimentShadows:
    """Reads everything, writes nothing; a visitor's score stays the control's."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.workflows = WorkflowService(session, resources)
        self._points: dict[tuple[int, str], Workflow | None] = {}

    def view(self, reading: Reading) -> dict[str, Any]:
        """Classes by arm, how well each arm's score ranks what came later, and the verdict."""
        from engine.statistics.ranking import area, compare
        from engine.statistics.verdict import ranking_verdict

        scored = self._scored(reading)
        came = [one.came for one in scored]
        arms, control = reading.definition.weights, reading.definition.control
        scores = {arm: [one.shadows[arm].score for one in scored] for arm in arms}
        alpha = 0.05 / (len(arms) - 1)
        ranked = {
            arm: compare(scores[control], scores[arm], came, alpha)
            for arm in arms
            if arm != control
        }
        verdict = ranking_verdict(noun_of(reading.metric), len(scored), sum(came), ranked)
        return {
            "scored": len(scored),
            "came": sum(came),
            "arms": [{**_classes(arm, scored), "area": area(scores[arm], came)} for arm in arms],
            "differences": [_difference(arm, one) for arm, one in ranked.items()],
            "verdict": verdict,
        }

    def _scored(self, reading: Reading) -> list[Scored]:
        rows = self._rows(reading)
        found = []
        for place in range(0, len(rows), AT_ONCE):
            page = rows[place : place + AT_ONCE]
            facts = self._facts(page)
            for row in page:
                shadows = self._shadows(reading, row, facts.get(row.id, []))
                if shadows:
                    found.append(Scored(shadows, row.converted_at is not None))
        return found

    def _rows(self, reading: Reading) -> Sequence[Any]:
        """Conversations whose window has closed; who came to the goal at once is left out."""
        window = timedelta(days=reading.window)
        rows = self.session.execute(
            select(
                *(Conversation.id, Conversation.workflow_version, Conversation.arms),
                *(Exposure.exposed_at, Conversion.converted_at),
            )
            .join(Conversation, Conversation.id == Exposure.session_id)
            .join(Lead, Lead.id == Conversation.lead_id)
            .outerjoin(
                Conversion,
                and_(
                    Conversion.experiment == Exposure.experiment,
                    Conversion.unit == Exposure.unit,
                    Conversion.metric == stored_metric(reading.metric)[0],
                ),
            )
            .where(
                Exposure.experiment == reading.definition.name,
                Exposure.excluded.is_(None),
                Exposure.exposed_at <= reading.now - max(window, SCORED_AFTER),
                Lead.deleted_at.is_(None),
            )
            .order_by(Exposure.id.desc())
            .limit(MOST_SCORED)
        ).all()
        return [row for row in rows if _is_later(row.exposed_at, row.converted_at, window)]

    def _facts(self, page: Sequence[Any]) -> dict[str, list[Fact]]:
        """What was known of each conversation when it is scored."""
        until = {row.id: row.exposed_at + SCORED_AFTER for row in page}
        rows = self.session.execute(
            select(Event.session_id, Event.seq, Event.kind, Event.measured, Event.occurred_at)
            .where(Event.session_id.in_(until), Event.seq.is_not(None))
            .order_by(Event.session_id, Event.seq)
        )
        found: dict[str, list[Fact]] = {}
        for session_id, seq, kind, measured, occurred_at in rows:
            if occurred_at <= until[session_id]:
                found.setdefault(session_id, []).append(Fact(seq, kind, measured))
        return found

    def _shadows(
        self, reading: Reading, row: Any, facts: Sequence[Fact]
    ) -> dict[str, Shadow] | None:
        """The conversation under each arm; None where an arm does not fit its version."""
        pinned = self.workflows.get(row.workflow_version, row.arms)
        found = {}
        for arm in reading.definition.arms:
            points = self._points_of(row.workflow_version, arm.name, arm.config)
            if points is None:
                return None
            found[arm.name] = shadow_of(facts, pinned, points)
        return found

    def _points_of(self, version: int, arm: str, change: Mapping[str, Any]) -> Workflow | None:
        """A version with an arm's points."""
        key = (version, arm)
        if key not in self._points:
            config, workflow = self.workflows.config(version), self.workflows.get(version)
            try:
                tried = shown(config["workflow"], config["tests"], workflow, change)
                self._points[key] = tried if change else workflow
            except WorkflowInvalid:
                self._points[key] = None
        return self._points[key]


def _is_later(exposed_at: datetime, converted_at: datetime | None, window: timedelta) -> bool:
    if converted_at is None:
        return True
    return exposed_at + SCORED_AFTER < converted_at <= exposed_at + window


def _classes(arm: str, scored: Sequence[Scored]) -> dict[str, Any]:
    """How many conversations each class would have under an arm."""
    shadows = [one.shadows[arm] for one in scored]
    classes = Counter(one.classification for one in shadows)
    return {
        "arm": arm,
        **{one.name.lower(): classes[one] for one in Classification},
        "mean_score": sum(one.score for one in shadows) / len(shadows) if shadows else None,
    }


def _difference(arm: str, ranked: Ranked) -> dict[str, Any]:
    return {
        "arm": arm,
        "difference": ranked.difference,
        "interval": list(ranked.interval) if ranked.interval else None,
        "p_always_valid": ranked.p,
        "decided": ranked.decided,
    }
