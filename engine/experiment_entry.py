"""Who takes part in an experiment, and in which arm; what a preview asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.bucketing import ArmWeight, Chosen, Filter, choose_arm, lets_through
from engine.experiments import Definition
from engine.targeting import is_met


@dataclass(frozen=True)
class Holdout:
    """The share of visitors that no experiment ever gets, by a place of its own."""

    share: float = 0.0
    seed: str = ""

    def holds(self, unit: str) -> bool:
        """Whether this unit is kept out of everything."""
        if self.share <= 0:
            return False
        return lets_through(Filter(f"holdout:{self.seed}", ((0.0, self.share),)), unit)


def chosen_arm(
    definition: Definition,
    seed: str,
    unit: str,
    known: Mapping[str, object],
    holdout: Holdout,
) -> Chosen | None:
    """The arm of a visitor who is new to the experiment; None for who stays outside.

    In this order: targeting, the exclusion group, the holdout, the coverage, the arm.
    """
    if not is_met(definition.targeting, known):
        return None
    group = definition.group
    if group and not lets_through(Filter(f"group:{group.name}", ((group.start, group.end),)), unit):
        return None
    if holdout.holds(unit):
        return None
    weights = [ArmWeight(arm.name, arm.weight) for arm in definition.arms]
    return choose_arm(seed, unit, weights, definition.coverage)


def read_forced(text: str | None) -> dict[str, str]:
    """The arms that a preview asks for: `name:arm`, several with commas between them."""
    pairs = (one.partition(":") for one in (text or "")[:1000].split(","))
    return {name.strip(): arm.strip() for name, _, arm in pairs if name.strip() and arm.strip()}
