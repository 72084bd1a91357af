"""All simulations in one list: what the self-test of the experiments runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.statistics.simulations import bandits, means, peeking, splits, timing
from engine.statistics.simulations.buckets import buckets
from engine.statistics.simulations.checks import Check, Profile

Simulation = Callable[[Profile], list[Check]]

SIMULATIONS: dict[str, Simulation] = {
    "buckets": buckets,
    "false positives": peeking.false_positives,
    "power": peeking.power,
    "planned": peeking.planned,
    "guard": peeking.guard,
    "coverage": peeking.coverage,
    "split on the page": splits.on_the_page,
    "split alarm": splits.all_the_time,
    "idle arm": splits.idle_arm,
    "cuped": means.cuped,
    "ratio": means.ratio,
    "outliers": means.outliers,
    "family": means.family,
    "maturity": timing.maturity,
    "epochs": timing.epochs,
    "bandit earning": bandits.earning,
    "bandit drawing": bandits.visitor_by_visitor,
    "bandit inference": bandits.inference,
    "bandit estimates": bandits.estimates,
}


def run_all(profile: Profile) -> Iterator[Check]:
    """Every check, one simulation after the other, as soon as it is known."""
    for simulate in SIMULATIONS.values():
        yield from simulate(profile)
