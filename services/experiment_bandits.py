"""ExperimentBandits: moves the traffic of experiments that earn while they test.

The statistics are imported where they are called: a worker that serves chats needs none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.experiments import Definition, Mode, Status, stored_definition
from engine.vocabulary import FactKind
from experiment_draws import API
from models import Experiment, ExperimentEpoch
from services.experiment_counts import ExperimentCounts
from services.experiment_reading import Reading
from services.experiment_rows import THE_PROGRAM, ExperimentRows
from services.resources import Resources

if TYPE_CHECKING:
    from engine.statistics.bandit import Guard, Rewards

# A move of less than this is not worth an epoch of its own.
SMALLEST_MOVE = 0.01
MOVED = "The weights follow the results."
HARMS = "{arm} gets nobody any more: it is worse on {metric}."


@dataclass(frozen=True)
class Move:
    """New weights, why, and what they were computed from: per arm its units and successes."""

    weights: dict[str, float]
    reason: str
    rewards: dict[str, tuple[float, float]]
    stopped: tuple[str, ...] = ()


class ExperimentBandits:
    """Draws the weights anew, by the clock, as epochs of their own."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.rows = ExperimentRows(session, resources)

    def running(self, after: str = "") -> str | None:
        """The next running experiment that earns, in the order of names."""
        name: str | None = self.session.scalar(
            select(Experiment.name)
            .where(
                Experiment.source == API,
                Experiment.status == str(Status.RUNNING),
                Experiment.definition["mode"].as_string() == str(Mode.BANDIT),
                Experiment.name > after,
            )
            .order_by(Experiment.name)
            .limit(1)
        )
        return name

    def move(self, name: str) -> Move | None:
        """Let the weights follow what has matured; None while there is no reason to."""
        row = self.rows.find_locked(name)
        if row is None or row.status != Status.RUNNING:
            return None
        definition, now = stored_definition(row.definition or {}), self.resources.clock.now()
        if definition.bandit is None:
            return None
        epochs = self.rows.epochs(name)
        move = _next_move(self._reading(definition, epochs, now), epochs, now)
        if move is None:
            return None
        row.definition = definition.weighted(move.weights).to_plain()
        row.updated_at = now
        row.epoch += 1
        row.revision += 1
        self.rows.open_epoch(row, move.weights, move.reason, now)
        self.session.flush()
        self._note(row, move)
        return move

    def _reading(
        self, definition: Definition, epochs: Sequence[ExperimentEpoch], now: datetime
    ) -> Reading:
        counts = ExperimentCounts(self.session, definition.name, now)
        weights = {epoch.epoch: dict(epoch.weights) for epoch in epochs}
        return Reading(definition, definition.metric, counts, weights, now)

    def _note(self, row: Experiment, move: Move) -> None:
        detail: dict[str, Any] = {"epoch": row.epoch, "weights": move.weights}
        rewards = {arm: list(one) for arm, one in move.rewards.items()}
        self.rows.record(FactKind.EXPERIMENT_REWEIGHTED, row.name, {**detail, "rewards": rewards})
        if move.stopped:
            # Moves are many and stand among the epochs; that an arm ended is for the history.
            detail = {"stopped": list(move.stopped), "why": move.reason}
            self.rows.audit(THE_PROGRAM, "experiment.arm_stopped", row.name, detail)


def _next_move(reading: Reading, epochs: Sequence[ExperimentEpoch], now: datetime) -> Move | None:
    from engine.statistics import bandit

    definition = reading.definition
    names, before = list(definition.weights), definition.weights
    harmed = _harmed(reading)
    off = frozenset(place for place, name in enumerate(names) if not before[name] or name in harmed)
    rewards = _rewards(reading, names)
    found = bandit.in_whole_steps(
        bandit.next_weights(
            rewards,
            tuple(before.values()),
            guard_of(definition),
            minutes_since_change=_minutes(epochs, now),
            stopped=off,
        )
    )
    weights = dict(zip(names, found, strict=True))
    if not harmed and max(abs(weights[one] - before[one]) for one in names) < SMALLEST_MOVE:
        return None
    said = [HARMS.format(arm=arm, metric=metric) for arm, metric in harmed.items()]
    units = {name: (one.units, one.successes) for name, one in zip(names, rewards, strict=True)}
    return Move(weights, " ".join(said) or MOVED, units, tuple(harmed))


def guard_of(definition: Definition) -> Guard:
    """When this experiment's weights may move, and how low one may fall."""
    from engine.statistics.bandit import guard_for

    assert definition.bandit is not None
    rules, arms = definition.bandit, len(definition.arms)
    return guard_for(arms, floor=rules.floor, careful=rules.careful)


def _rewards(reading: Reading, names: Sequence[str]) -> tuple[Rewards, ...]:
    """What each arm has brought so far, by exposures that are old enough."""
    from engine.statistics.bandit import Rewards, discounted

    found = dict(zip(reading.arms, discounted(reading.batches(reading.metric)), strict=False))
    return tuple(found.get(name, Rewards(0, 0)) for name in names)


def _harmed(reading: Reading) -> dict[str, str]:
    """The arms with visitors that are certainly worse on a guardrail, and on which."""
    return {
        effect.arm: goal.noun
        for goal, effect in reading.guardrails()
        if effect.decided
        and effect.harms(goal.higher_is_better)
        and reading.definition.weights.get(effect.arm)
    }


def _minutes(epochs: Sequence[ExperimentEpoch], now: datetime) -> float | None:
    """The minutes since the weights followed the results the last time; None before the first."""
    moved = [one.opened_at for one in epochs if one.reason == MOVED]
    return (now - moved[-1]).total_seconds() / 60 if moved else None
