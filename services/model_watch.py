"""The watch on the model in service: has the world moved away from it, and what mends that.

In this order, once a fresh candidate did not pass: the version before comes back where it is
surely better; else the intercept is updated; where that was done already, a model of the newest
leads alone is tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from errors import Invalid
from ml import drift
from ml.features import Choice
from ml.predict import Model
from ml.train import candidate, label_for
from services.model_store import RULES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Fewer outcomes than this, and chance explains any drift.
FEWEST_TO_WATCH = 10
SMALLEST_WINDOW, LARGEST_WINDOW = 200, 10_000
MENDED = "intercept_moved"


@dataclass(frozen=True)
class Incumbent:
    """The model in service, or the one before, and the last outcome that it learned from."""

    id: str
    model: Model
    data_to: datetime | None
    previous: Incumbent | None = None


@dataclass(frozen=True)
class Rows:
    """The ripe rows of one stage, in the order of time; `weights` undo who was likelier called."""

    frame: dict[str, list[Any]]
    won: Ints
    decided: Sequence[datetime | None]
    notes: tuple[str, ...]
    weights: Floats | None = None

    @property
    def window(self) -> tuple[datetime | None, datetime | None]:
        """From when to when outcomes were recorded."""
        known = [one for one in self.decided if one is not None]
        return (min(known), max(known)) if known else (None, None)

    def newest(self, count: int) -> Rows:
        """The last rows alone."""
        frame = {name: values[-count:] for name, values in self.frame.items()}
        weights = None if self.weights is None else self.weights[-count:]
        return Rows(frame, self.won[-count:], self.decided[-count:], self.notes, weights)

    def after(self, last: datetime | None) -> Flags:
        """The rows that were decided after a moment."""
        return np.array(
            [at is not None and (last is None or at > last) for at in self.decided], bool
        )

    def logits(self, model: Model) -> Floats:
        """What a model says of every row."""
        return model.logits(model.encoding.matrix(self.frame, len(self.won)))


@dataclass(frozen=True)
class Seen:
    """What the watch saw, as people are shown it, and how the version before would have done."""

    state: Mapping[str, Any]
    is_previous_better: bool = False


@dataclass(frozen=True)
class Repair:
    """What is to answer from now on: a mended or new model, or the version of this id again."""

    reasons: Sequence[str]
    model: Model | None = None
    returned: Incumbent | None = None
    rows: Rows | None = None


def watch(rows: Rows, incumbent: Incumbent | None) -> Seen | None:
    """How the outcomes since then, and the leads themselves, differ from what was learned."""
    if incumbent is None or not len(rows.won):
        return None
    new = rows.after(incumbent.data_to)
    if new.sum() < FEWEST_TO_WATCH or (~new).sum() < FEWEST_TO_WATCH:
        return None
    model = incumbent.model
    X = model.encoding.matrix(rows.frame, len(rows.won))
    found = drift.calibration(rows.won[new], model.logits(X[new]))
    columns = model.encoding.columns
    moved = drift.shifts(
        [one.name for one in columns], [one.levels for one in columns], X[~new], X[new]
    )
    state = dict(drift.summary(found, moved[:20]))
    compared = _compared(rows, incumbent)
    if compared is None:
        return Seen(state)
    state["previous"] = compared[0]
    return Seen(state, compared[1])


def _compared(rows: Rows, incumbent: Incumbent) -> tuple[Mapping[str, Any], bool] | None:
    """How the version before would have done on what neither learned from; whether better."""
    previous = incumbent.previous
    if previous is None:
        return None
    moments = [one for one in (incumbent.data_to, previous.data_to) if one is not None]
    new = rows.after(max(moments, default=None))
    won = rows.won[new]
    serves, before = rows.logits(incumbent.model)[new], rows.logits(previous.model)[new]
    found = drift.comparison(won, serves, before)
    if found is None:
        return None
    said = {"model": previous.id, "leads": found.leads, "gain": found.gain, "error": found.error}
    return said, found.is_surely_better and drift.beats_a_mended_one(won, serves, before)


def repair(rows: Rows, incumbent: Incumbent, seen: Seen, choice: Choice) -> Repair | None:
    """What mends the model in service, where no candidate of all outcomes is any better."""
    if seen.is_previous_better and incumbent.previous is not None:
        return _returned(incumbent.previous, seen.state)
    step = seen.state["next_step"]
    if step == "nothing":
        return None
    is_off = step == "intercept"
    if is_off and not incumbent.model.card.get(MENDED):
        return _mended(rows, incumbent, seen.state)
    return _recent(rows, incumbent, choice) or (
        _mended(rows, incumbent, seen.state) if is_off else None
    )


def _returned(previous: Incumbent, state: Mapping[str, Any]) -> Repair:
    said = state["previous"]
    reason = (
        f"On {said['leads']:,} newer outcomes the version before would have done better than the"
        f" one in service, by {said['gain']:.4f} nats a lead (± {said['error']:.4f}): it is back."
    )
    return Repair([reason], returned=previous)


def _mended(rows: Rows, incumbent: Incumbent, state: Mapping[str, Any]) -> Repair:
    """The model in service with its intercept updated: the cheapest answer."""
    model, new = incumbent.model, rows.after(incumbent.data_to)
    move = drift.intercept_update(rows.won[new], rows.logits(model)[new])
    before = model.card.get(MENDED, 0.0)
    mended = replace(model.moved(move), card={**model.card, MENDED: before + move})
    reason = (
        f"On {int(new.sum()):,} newer outcomes {state['wins_said']:.0f} wins were said and"
        f" {state['wins_seen']:.0f} seen: every probability was moved by {move:+.2f} logits."
    )
    return Repair([reason], model=mended, rows=rows)


def _recent(rows: Rows, incumbent: Incumbent, choice: Choice) -> Repair | None:
    """A model of the newest leads alone, if the gate lets it through."""
    new = int(rows.after(incumbent.data_to).sum())
    count = min(LARGEST_WINDOW, max(new, SMALLEST_WINDOW))
    recent = rows.newest(count)
    if count >= len(rows.won) or label_for(recent.won) == RULES:
        return None
    try:
        found = candidate(
            recent.frame, recent.won, choice, incumbent=incumbent.model, weights=recent.weights
        )
    except Invalid:
        return None
    if not found.verdict.promote:
        return None
    told = f"Learned from the newest {count:,} outcomes alone, for the world has moved."
    return Repair([told, *found.verdict.reasons], model=found.model, rows=recent)
