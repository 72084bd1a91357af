"""The stages of the pipeline: their order, what each of them means, how far along a lead is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.vocabulary import StageKind

LONGEST_NAME = 64
MOST_STAGES = 30
MOST_DAYS = 3650


@dataclass(frozen=True)
class Stage:
    """One place of the pipeline, under the name that people gave it."""

    name: str
    kind: StageKind
    # After so many days a lead has been here for too long. Changes nothing of what the stage is.
    limit_days: int | None = field(default=None, compare=False)

    def is_stagnant(self, days: float) -> bool:
        """Whether a lead has stood here for longer than it should."""
        has_limit = self.limit_days is not None and self.kind is StageKind.OPEN
        return has_limit and days > (self.limit_days or 0)


@dataclass(frozen=True)
class Pipeline:
    """All stages in their order; there is at least one of each kind, and the first is open."""

    stages: tuple[Stage, ...]

    @property
    def first(self) -> Stage:
        """Where a lead stands that nobody has moved yet."""
        return self.stages[0]

    def find(self, name: str | None) -> Stage | None:
        """The stage of this name, whatever its case; the first one for a lead without a stage."""
        if name is None:
            return self.first
        wanted = name.strip().casefold()
        return next((one for one in self.stages if one.name.casefold() == wanted), None)

    def first_of(self, kind: StageKind) -> Stage:
        """The first stage of a kind."""
        return next(stage for stage in self.stages if stage.kind == kind)

    def place(self, name: str | None) -> float | None:
        """How far along a stage is, from 0 to 1: won is 1, lost is 0, unknown is None."""
        stage = self.find(name)
        if stage is None:
            return None
        if stage.kind is not StageKind.OPEN:
            return 1.0 if stage.kind is StageKind.WON else 0.0
        still_open = [one for one in self.stages if one.kind is StageKind.OPEN]
        return still_open.index(stage) / len(still_open)


SHIPPED = Pipeline(
    (
        Stage("Uncontacted", StageKind.OPEN, 2),
        Stage("Contacted", StageKind.OPEN, 7),
        Stage("Meeting", StageKind.OPEN, 14),
        Stage("Negotiation", StageKind.OPEN, 30),
        Stage("Deal", StageKind.WON),
        Stage("Reject", StageKind.LOST),
    )
)


def read_pipeline(value: Any) -> Pipeline:
    """The pipeline that a list of `{"name", "kind"}` describes; ValueError says what is wrong."""
    if not isinstance(value, list) or not 3 <= len(value) <= MOST_STAGES:
        raise ValueError(f"A pipeline is a list of 3 to {MOST_STAGES} stages.")
    stages = tuple(_read_stage(one) for one in value)
    names = {stage.name.casefold() for stage in stages}
    if len(names) < len(stages):
        raise ValueError("Two stages have the same name.")
    missing = [str(kind) for kind in StageKind if all(stage.kind != kind for stage in stages)]
    if missing:
        raise ValueError(f"A pipeline needs a stage of the kind {' and one of '.join(missing)}.")
    if stages[0].kind is not StageKind.OPEN:
        raise ValueError("The first stage must be open: every new lead stands there.")
    return Pipeline(stages)


def plain_stages(pipeline: Pipeline) -> list[dict[str, Any]]:
    """The stages as `read_pipeline` takes them."""
    return [
        {"name": stage.name, "kind": str(stage.kind), "limit_days": stage.limit_days}
        for stage in pipeline.stages
    ]


def _read_stage(value: Any) -> Stage:
    name = value.get("name") if isinstance(value, Mapping) else None
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= LONGEST_NAME:
        raise ValueError(f"A stage has a name of 1 to {LONGEST_NAME} characters.")
    kind = value.get("kind")
    if kind not in StageKind._value2member_map_:
        raise ValueError(f"{name.strip()}: a stage is {', '.join(StageKind)}.")
    return Stage(name.strip(), StageKind(kind), _read_limit(name.strip(), value.get("limit_days")))


def _read_limit(name: str, days: Any) -> int | None:
    if days is None:
        return None
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
        raise ValueError(f"{name}: the limit is a whole number of days from 1 to {MOST_DAYS}.")
    return days
