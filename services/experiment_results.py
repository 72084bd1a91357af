"""ExperimentResults: what came of an experiment: counts, effects, a verdict; raw rows to check it.

The statistics are imported where they are called: a worker that serves chats needs none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from engine.experiment_arms import Kind
from engine.experiments import Status
from engine.goals import is_metric, unknown_metric
from errors import invalid_field
from lib.csv_stream import csv_chunks
from services import experiment_pages as pages
from services.experiment_adjustments import adjustments_view
from services.experiment_book import ExperimentBook
from services.experiment_counts import SEGMENTS, ExperimentCounts
from services.experiment_reading import Reading
from services.experiment_shadows import ExperimentShadows
from services.resources import Resources

if TYPE_CHECKING:
    from engine.statistics.effects import Effect, Goal
    from engine.statistics.srm import Bend
    from engine.statistics.verdict import Verdict

_EXPOSURE_COLUMNS: tuple[str, ...] = (
    *("id", "unit", "arm", "epoch", "propensity", "revision", "workflow_version"),
    *("assigned_at", "exposed_at", "excluded"),
)
_CONVERSION_COLUMNS: tuple[str, ...] = (
    *("id", "unit", "arm", "epoch", "metric", "value", "exposed_at", "converted_at", "excluded"),
)


@dataclass(frozen=True)
class Page:
    """Raw rows as CSV, and where the next page begins."""

    text: str
    next_cursor: int | None


class ExperimentResults:
    """Reads everything, writes nothing."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.book = ExperimentBook(session, resources)

    def results(
        self,
        name: str,
        *,
        metric: str | None = None,
        segment: str | None = None,
        adjustments: bool = False,
    ) -> dict[str, Any]:
        """Counts, effects and a verdict on one goal: that which decides unless another is asked.

        Adjustments are read from visitors' earlier conversations, which takes its time.
        """
        definition, row = self.book.definition_of(name)
        chosen = metric or definition.metric
        if not is_metric(chosen):
            raise invalid_field("metric", unknown_metric(chosen))
        if segment is not None and segment not in SEGMENTS:
            raise invalid_field("segment", f"Segments are {', '.join(SEGMENTS)}.")
        now = self.resources.clock.now()
        weights = {epoch.epoch: dict(epoch.weights) for epoch in self.book.rows.epochs(name)}
        counts = ExperimentCounts(self.session, name, now)
        reading = Reading(definition, chosen, counts, weights or {1: definition.weights}, now)
        is_in_shadow = definition.kind is Kind.POINTS
        return {
            "name": name,
            "status": row.status if row else str(Status.RUNNING),
            **(self._in_shadow(reading) if is_in_shadow else report(reading)),
            **({"segments": pages.segments_view(reading, segment)} if segment else {}),
            **({"adjustments": adjustments_view(reading)} if adjustments else {}),
        }

    def _in_shadow(self, reading: Reading) -> dict[str, Any]:
        """Points tried in shadow: visitors see no difference, so their scores are compared."""
        found = ExperimentShadows(self.session, self.resources).view(reading)
        verdict = found.pop("verdict")
        return {
            **_asked(reading, reading.goal(reading.metric)),
            "rule": "ranking",
            "arms": [pages.arm_view(reading, arm) for arm in reading.arms],
            "effects": [],
            "srm": pages.srm_view(reading, ()),
            "verdict": pages.verdict_view(verdict),
            "window": pages.window_view(reading),
            "multiple": pages.multiple_view(reading),
            "shadow": found,
        }

    def rows(self, name: str, *, what: str, limit: int, cursor: int) -> Page:
        """Exposures or conversions one by one, as CSV for programs."""
        self.book.definition_of(name)
        counts = ExperimentCounts(self.session, name, self.resources.clock.now())
        read, columns = counts.exposure_rows, _EXPOSURE_COLUMNS
        if what == "conversions":
            read, columns = counts.conversion_rows, _CONVERSION_COLUMNS
        rows = read(cursor, limit)
        listed = [dict(row._mapping) for row in rows]
        text = "".join(csv_chunks(listed, columns))
        return Page(text, rows[-1].id if len(rows) == limit else None)


def report(reading: Reading) -> dict[str, Any]:
    """The whole, ready to be sent."""
    from engine.statistics import effects as statistics

    definition, metric = reading.definition, reading.metric
    measured = [reading.measured(one) for one in reading.family]
    effects = statistics.measure(measured, definition.control)[metric]
    goal = next(one.goal for one in measured if one.goal.metric == metric)
    guardrails = reading.guardrails()
    bends = pages.bends_of(reading) if reading.srm.flagged or reading.srm.alarmed else ()
    verdict = _verdict(reading, goal, effects, guardrails, bends)
    return {
        **_asked(reading, goal),
        "arms": [pages.arm_view(reading, arm) for arm in reading.arms],
        "effects": [pages.effect_view(one) for one in effects],
        "guardrails": [
            {"metric": guarded.metric, **pages.effect_view(one)} for guarded, one in guardrails
        ],
        "srm": pages.srm_view(reading, bends),
        "verdict": pages.verdict_view(verdict),
        "window": pages.window_view(reading),
        "multiple": pages.multiple_view(reading),
        "novelty": [pages.novelty_view(reading, effect.arm) for effect in effects],
        "bandit": pages.bandit_view(reading, goal),
        "plan": pages.plan_view(reading, goal.hoped, verdict.more_visitors),
        "epochs": [
            {"epoch": epoch, "weights": dict(weights)}
            for epoch, weights in sorted(reading.weights.items())
        ],
    }


def _asked(reading: Reading, goal: Goal) -> dict[str, Any]:
    """What was asked, and by which rule it is answered."""
    definition = reading.definition
    return {
        "metric": reading.metric,
        "noun": goal.noun,
        "control": definition.control,
        "exploratory": reading.metric not in (definition.metric, *definition.metrics),
        "mode": str(definition.mode),
        "rule": _rule(reading, goal),
    }


def _rule(reading: Reading, goal: Goal) -> str:
    if reading.definition.bandit and not goal.is_value:
        return "logged_propensities"
    return "group_sequential" if goal.planned else "always_valid"


def _verdict(
    reading: Reading,
    goal: Goal,
    effects: Sequence[Effect],
    guardrails: Sequence[tuple[Goal, Effect]],
    bends: Sequence[Bend],
) -> Verdict:
    from engine.statistics import verdict as words

    setting = words.Setting(
        control=reading.definition.control,
        srm=reading.srm,
        waiting=reading.exposed() - reading.mature(reading.window),
        window_days=reading.window,
        bends=bends,
        guardrails=guardrails,
        is_moving=reading.definition.bandit is not None,
    )
    return words.decide(goal, effects, setting)
