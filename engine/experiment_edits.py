"""What may be changed in an experiment while visitors are in it, and at what price."""

from __future__ import annotations

from dataclasses import dataclass

from engine.experiments import Definition


@dataclass(frozen=True)
class Edit:
    """What an edit of a running experiment is: safe, the start of an epoch, or refused."""

    refused: tuple[str, ...] = ()
    opens_epoch: tuple[str, ...] = ()


def judge_edit(before: Definition, after: Definition) -> Edit:
    """What may be changed while visitors are in it, and at what price.

    Raising the coverage or taking a condition away moves nobody. Weights, new arms and new
    conditions change who is compared with whom: what follows is an epoch of its own. Anything
    else would make the numbers so far mean something else.
    """
    refused, opens = _judge_arms(before, after)
    if after.coverage < before.coverage:
        refused.append("Coverage can only be raised while it runs; pause it to let nobody in.")
    for name, sentence in _FIXED.items():
        if getattr(before, name) != getattr(after, name):
            refused.append(sentence)
    kept = {key: value for key, value in before.targeting.items() if key in after.targeting}
    if after.targeting != kept:
        opens.append("Its targeting changed.")
    return Edit(tuple(refused), tuple(opens))


def keep_moved(before: Definition, after: Definition) -> Definition:
    """A bandit's edit with the weights that it has come to by itself.

    Of what the edit says only 0 is heeded: that arm gets nobody. A new arm, or one that comes back,
    gets an even share; the others keep their proportions.
    """
    if after.weights == before.weights:
        return after
    running = [arm for arm in after.arms if arm.weight > 0]
    moved = {one.name: before.weights.get(one.name, 0.0) for one in running}
    fresh = {name: 1 / len(running) for name, weight in moved.items() if not weight}
    left = 1 - sum(fresh.values())
    total = sum(moved.values())
    kept = {name: weight / total * left for name, weight in moved.items() if weight}
    return after.weighted({**kept, **fresh})


_FIXED = {
    "kind": "What it varies cannot be changed while it runs; make a new experiment.",
    "control": "Its control cannot be changed while it runs; make a new experiment.",
    "metric": "Its goal was chosen before the start and stays; make a new experiment.",
    "metrics": "Its goals were chosen before the start and stay; make a new experiment.",
    "window_days": "How long a conversion may take was chosen before the start and stays.",
    "hoped_lift": "The effect hoped for was chosen before the start and stays.",
    "planned_visitors": "Its planned size was chosen before the start and stays.",
    "bandit": "Whether it tests or earns was chosen before the start and stays.",
    "group": "Its exclusion group cannot be changed while it runs; make a new experiment.",
}


def _judge_arms(before: Definition, after: Definition) -> tuple[list[str], list[str]]:
    refused: list[str] = []
    opens: list[str] = []
    now = {arm.name: arm for arm in after.arms}
    for arm in before.arms:
        if arm.name not in now:
            refused.append(
                f"Visitors were shown {arm.name}, so it stays; give it the weight 0 instead."
            )
        elif dict(now[arm.name].config) != dict(arm.config):
            refused.append(f"Visitors were shown what {arm.name} says; add a new arm instead.")
    if set(now) - set(before.weights):
        opens.append("An arm was added.")
    elif after.weights != before.weights:
        opens.append("Its weights changed.")
    return refused, opens
