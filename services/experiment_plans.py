"""ExperimentPlans: before the start: how many visitors, how many days, and which goal would do.

The statistics are imported where they are called: a worker that serves chats needs none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from ab_testing_service import UNCOUNTED
from engine.experiments import Definition
from engine.goals import METRICS, noun_of, reached, stored_metric
from engine.targeting import is_met
from engine.visitors import names_of, visitor_attributes
from engine.vocabulary import UTM_FIELDS, FactKind
from models import Conversation, Event, Lead
from services.experiment_book import ExperimentBook
from services.experiment_pages import PATIENCE_DAYS
from services.resources import Resources

if TYPE_CHECKING:
    from engine.statistics.power import Goal, Plan, Traffic

LOOKED_BACK = timedelta(days=28)
# So many of the newest conversations tell the rates and who is meant.
MOST_LOOKED_AT = 5_000
AT_ONCE = 500
_KINDS = (
    *(FactKind.JOURNEY_COMPLETED, FactKind.LEAD_CLASSIFIED, FactKind.OUTCOME_RECORDED),
    *(FactKind.BEHAVIOR_REPORTED, FactKind.PROFILE_UPDATED, FactKind.ANSWER_RECORDED),
)
DEVICES = "What device past visitors had is not kept: those of all kinds are counted."


@dataclass(frozen=True)
class Past:
    """Visitors of the past who would have taken part, and how many of them reached each goal."""

    share: float
    visitors: int
    reached: Mapping[str, int]


class ExperimentPlans:
    """Reckons from the conversations there were; reads everything, writes nothing."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.book = ExperimentBook(session, resources)

    def power(self, name: str, lift: float | None = None) -> dict[str, Any]:
        """What finding an effect takes at the present traffic, goal by goal."""
        definition, _ = self.book.definition_of(name)
        hoped = lift or definition.hoped_lift
        return _Reckoning(self.session, definition, hoped, self._holdout, self._now).view()

    @property
    def _now(self) -> datetime:
        return self.resources.clock.now()

    @property
    def _holdout(self) -> float:
        return float(self.book.holdout()["share"])


class _Reckoning:
    """One experiment held against the past."""

    def __init__(
        self, session: Session, definition: Definition, lift: float, holdout: float, now: datetime
    ) -> None:
        self.session = session
        self.definition = definition
        self.lift = lift
        self.holdout = holdout
        self.now = now
        self._pasts: dict[float, Past] = {}

    def view(self) -> dict[str, Any]:
        """The whole, ready to be sent."""
        from engine.statistics.power import earlier_goals
        from engine.statistics.verdict import plan_sentence

        rows = {metric: self._row(metric) for metric in self._metrics()}
        goals = [self._goal(metric) for metric in rows]
        fitting = earlier_goals(
            [one for one in goals if one], self.lift, self.traffic, patience=PATIENCE_DAYS
        )
        better = next((one for one in fitting if one.metric != self.definition.metric), None)
        metric = self.definition.metric
        chosen = self._plan(metric)
        sentence = plan_sentence(metric, self.lift, chosen, better, PATIENCE_DAYS)
        return {
            "name": self.definition.name,
            "metric": metric,
            "hoped_lift": self.lift,
            "visitors_per_day": self.traffic.visitors_per_day,
            "arms": self.traffic.arms,
            "taking_part": self._share(self._past(0.0)),
            "patience_days": PATIENCE_DAYS,
            "goals": list(rows.values()),
            "earlier": better.metric if better else None,
            "sentence": sentence,
            "assumed": [DEVICES] if "device" in names_of(self.definition.targeting) else [],
        }

    def _metrics(self) -> list[str]:
        """The goals that were named, and those that the server sees for itself."""
        named = (self.definition.metric, *self.definition.metrics, *self.definition.guardrails)
        return list(dict.fromkeys((*named, *METRICS)))

    def _row(self, metric: str) -> dict[str, Any]:
        past, plan = self._past(self.definition.window_of(metric)), self._plan(metric)
        row: dict[str, Any] = {
            "metric": metric,
            "noun": noun_of(metric),
            "window_days": self.definition.window_of(metric),
            "reached": past.reached.get(metric, 0),
            "of": past.visitors,
            "rate": plan and plan.rate,
            "per_arm": plan and plan.per_arm,
            "visitors": plan and plan.visitors,
            "days": plan and plan.days,
            "smallest_lift": plan and plan.smallest_lift,
            "fits": bool(plan and plan.fits),
        }
        return row | {"typical_stop": plan and self._typical_stop(plan)}

    def _typical_stop(self, plan: Plan) -> int | None:
        """Visitors until the rule that may be read at any time stops, when it goes as hoped."""
        from engine.statistics.power import ENDLESS, typical_stop

        arms = self.traffic.arms
        level = 0.05 / (arms - 1)
        found = typical_stop(plan.rate, self.lift, 0.5, level) * arms // 2
        return found if found < ENDLESS else None

    def _plan(self, metric: str) -> Plan | None:
        from engine.statistics import power

        goal = self._goal(metric)
        if goal is None or not self.traffic.visitors_per_day:
            return None
        return power.plan(goal, self.lift, self.traffic, patience=PATIENCE_DAYS)

    def _goal(self, metric: str) -> Goal | None:
        """A goal at its present rate; None where no rate can be known or lifted."""
        from engine.statistics.power import Goal

        window = self.definition.window_of(metric)
        past = self._past(window)
        count = past.reached.get(metric, 0)
        if stored_metric(metric)[1] or not count or count * (1 + self.lift) >= past.visitors:
            return None
        return Goal(metric, count / past.visitors, window)

    @cached_property
    def traffic(self) -> Traffic:
        """Visitors a day who would take part."""
        from engine.statistics.power import Traffic

        unit = func.coalesce(Conversation.visitor_id, Conversation.id)
        since = self.now - LOOKED_BACK
        first, count = self.session.execute(
            select(func.min(Conversation.started_at), func.count(func.distinct(unit)))
            .join(Lead, Lead.id == Conversation.lead_id)
            .where(*_counted(), Conversation.started_at > since)
        ).one()
        # A site of three days has had its visitors in three days.
        days = max((self.now - first).total_seconds() / 86_400, 1.0) if first else 1.0
        share = self._share(self._past(0.0))
        arms = max(sum(arm.weight > 0 for arm in self.definition.arms), 2)
        return Traffic(count / days * share, arms)

    def _share(self, past: Past) -> float:
        """Which part of all visitors gets into it: target, coverage, group, holdout."""
        group = self.definition.group
        part = group.end - group.start if group else 1.0
        return past.share * self.definition.coverage * part * (1 - self.holdout)

    def _past(self, window: float) -> Past:
        """Visitors whose window of so many days has closed."""
        if window not in self._pasts:
            self._pasts[window] = self._look_back(window)
        return self._pasts[window]

    def _look_back(self, window: float) -> Past:
        columns = (*UTM_FIELDS, "landing_page", "referrer", "locale")
        rows = self.session.execute(
            select(
                *(Conversation.id, Conversation.lead_id, Conversation.visitor_id),
                *(Conversation.started_at, *(getattr(Conversation, one) for one in columns)),
            )
            .join(Lead, Lead.id == Conversation.lead_id)
            .where(*_counted(), Conversation.started_at <= self.now - timedelta(days=window))
            .order_by(Conversation.started_at.desc())
            .limit(MOST_LOOKED_AT)
        ).all()
        came: dict[str, Any] = {}
        everybody: set[str] = set()
        for row in reversed(rows):
            unit = row.visitor_id or row.id
            if unit not in came and self._is_meant(row, returning=unit in everybody):
                came[unit] = row
            everybody.add(unit)
        share = len(came) / len(everybody) if everybody else 0.0
        return Past(share, len(came), self._goals_of(came.values(), window))

    def _is_meant(self, row: Any, *, returning: bool) -> bool:
        known = visitor_attributes(row._mapping) | {"returning": returning}
        asked = {key: one for key, one in self.definition.targeting.items() if key != "device"}
        return is_met(asked, known)

    def _goals_of(self, came: Iterable[Any], window: float) -> dict[str, int]:
        """How many of these visitors reached each goal within the window."""
        begun = {row.lead_id: row.started_at for row in came}
        found: dict[str, set[int]] = {}
        for fact in self._facts(list(begun)):
            after = (fact.occurred_at - begun[fact.lead_id]).total_seconds() / 86_400
            if 0 <= after <= window:
                for metric, _ in reached(fact.kind, fact.measured):
                    found.setdefault(metric, set()).add(fact.lead_id)
        return {metric: len(leads) for metric, leads in found.items()}

    def _facts(self, leads: Sequence[int]) -> Iterable[Any]:
        tells = or_(Event.kind != FactKind.ANSWER_RECORDED, Event.measured["contact"].as_boolean())
        for place in range(0, len(leads), AT_ONCE):
            yield from self.session.execute(
                select(Event.lead_id, Event.kind, Event.measured, Event.occurred_at).where(
                    Event.lead_id.in_(leads[place : place + AT_ONCE]),
                    Event.kind.in_(_KINDS),
                    tells,
                )
            )


def _counted() -> tuple[Any, ...]:
    """The conversations of visitors who may take part."""
    suspicion = Conversation.suspicion
    return (Lead.deleted_at.is_(None), or_(suspicion.is_(None), suspicion.not_in(UNCOUNTED)))
