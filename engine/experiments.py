"""An experiment: all that a marketer decides about it, and the steps of its life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from engine.experiment_arms import Kind
from engine.goals import window_of


class Status(StrEnum):
    """How far an experiment has come."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DECIDED = "decided"


class Mode(StrEnum):
    """What an experiment is for: to know, or to earn while it learns."""

    TEST = "test"
    BANDIT = "bandit"


# The states from which each step may be taken.
STEPS: dict[str, tuple[Status, ...]] = {
    "start": (Status.DRAFT, Status.PAUSED),
    "pause": (Status.RUNNING,),
    "stop": (Status.RUNNING, Status.PAUSED),
    "decide": (Status.STOPPED,),
}
AFTER: dict[str, Status] = {
    "start": Status.RUNNING,
    "pause": Status.PAUSED,
    "stop": Status.STOPPED,
    "decide": Status.DECIDED,
}


@dataclass(frozen=True)
class Arm:
    """One arm: its name for ever, its share, what it changes, and a label that may be edited."""

    name: str
    weight: float
    config: Mapping[str, Any]
    label: str = ""


@dataclass(frozen=True)
class Group:
    """A part of a group of experiments of which a visitor is in one at most."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Bandit:
    """How an experiment that earns moves its weights.

    `floor` is the least share of an arm, None for the usual one; `careful` waits for 40
    conversions in each arm before the first move.
    """

    floor: float | None = None
    careful: bool = False


@dataclass(frozen=True)
class Definition:
    """All that a marketer decides about an experiment."""

    name: str
    kind: Kind
    arms: tuple[Arm, ...]
    control: str
    metric: str
    metrics: tuple[str, ...] = ()
    guardrails: tuple[str, ...] = ()
    targeting: Mapping[str, Any] = field(default_factory=dict)
    coverage: float = 1.0
    group: Group | None = None
    window_days: float | None = None
    hoped_lift: float = 0.2
    planned_visitors: int | None = None
    description: str = ""
    # None: the weights stay until somebody changes them.
    bandit: Bandit | None = None

    @property
    def mode(self) -> Mode:
        """What it is for."""
        return Mode.BANDIT if self.bandit else Mode.TEST

    @property
    def weights(self) -> dict[str, float]:
        """Each arm's share."""
        return {arm.name: arm.weight for arm in self.arms}

    def weighted(self, weights: Mapping[str, float]) -> Definition:
        """The same with these shares; an arm that is not named has none."""
        arms = (replace(arm, weight=weights.get(arm.name, 0.0)) for arm in self.arms)
        return replace(self, arms=tuple(arms))

    def arm(self, name: str | None) -> Arm:
        """The arm of this name; the control when there is none."""
        found = next((arm for arm in self.arms if arm.name == name), None)
        return found or next(arm for arm in self.arms if arm.name == self.control)

    def window_of(self, metric: str) -> float:
        """How many days after the exposure a conversion counts."""
        return self.window_days or window_of(metric)

    def to_plain(self) -> dict[str, Any]:
        """The definition as it is stored and sent."""
        group = self.group and {
            "name": self.group.name,
            "from": self.group.start,
            "to": self.group.end,
        }
        return {
            "name": self.name,
            "kind": str(self.kind),
            "arms": [
                {"arm": a.name, "weight": a.weight, "config": dict(a.config), "label": a.label}
                for a in self.arms
            ],
            "control": self.control,
            "metric": self.metric,
            "metrics": list(self.metrics),
            "guardrails": list(self.guardrails),
            "targeting": dict(self.targeting),
            "coverage": self.coverage,
            "exclusion_group": group,
            "window_days": self.window_days,
            "hoped_lift": self.hoped_lift,
            "planned_visitors": self.planned_visitors,
            "description": self.description,
            "mode": str(self.mode),
            "bandit": self.bandit and {"floor": self.bandit.floor, "careful": self.bandit.careful},
        }


def stored_definition(raw: Mapping[str, Any]) -> Definition:
    """A definition that was checked before it was stored."""
    group = raw.get("exclusion_group")
    # Not there in what was stored before there were bandits.
    bandit = raw.get("bandit")
    return Definition(
        name=raw["name"],
        kind=Kind(raw["kind"]),
        arms=tuple(
            Arm(one["arm"], one["weight"], one["config"], one["label"]) for one in raw["arms"]
        ),
        control=raw["control"],
        metric=raw["metric"],
        metrics=tuple(raw["metrics"]),
        guardrails=tuple(raw["guardrails"]),
        targeting=raw["targeting"],
        coverage=raw["coverage"],
        group=Group(group["name"], group["from"], group["to"]) if group else None,
        window_days=raw["window_days"],
        hoped_lift=raw["hoped_lift"],
        planned_visitors=raw["planned_visitors"],
        description=raw["description"],
        bandit=Bandit(bandit["floor"], bandit["careful"]) if bandit else None,
    )
