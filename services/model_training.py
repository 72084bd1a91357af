"""From examples to models: learned, judged and packed; plain data in and out, no database.

Here scikit-learn is imported, and minutes may pass: whoever calls has no transaction open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from errors import Invalid
from lib.crypto import sha256_hex
from ml import drift, registry
from ml.features import Choice, Stage, frame_of
from ml.labels import Case, patience, ripe
from ml.predict import Model
from ml.train import candidate, label_for, train, train_rules
from services.lead_past import POINTS
from services.model_store import RULES, NewVersion
from services.training_rows import LEAST_SILENCE, Example

Ints = npt.NDArray[np.int64]
# Fewer outcomes than this, and chance explains any drift.
FEWEST_TO_WATCH = 10


@dataclass(frozen=True)
class Incumbent:
    """The model in service and the moment of the last outcome that it learned from."""

    id: str
    model: Model
    data_to: datetime | None


@dataclass(frozen=True)
class Learned:
    """What a training gave: versions to keep in this order, and how the world moved by model."""

    versions: Sequence[NewVersion]
    drift: Mapping[str, Mapping[str, Any]]
    notes: Sequence[str]
    # Where outcomes taught nothing new.
    unchanged: bool = False


@dataclass(frozen=True)
class Rows:
    """The ripe rows of one stage, in the order of time."""

    frame: dict[str, list[Any]]
    won: Ints
    decided: Sequence[datetime | None]
    notes: tuple[str, ...]

    @property
    def window(self) -> tuple[datetime | None, datetime | None]:
        """From when to when outcomes were recorded."""
        known = [one for one in self.decided if one is not None]
        return (min(known), max(known)) if known else (None, None)


def learn(
    examples: Sequence[Example],
    now: datetime,
    incumbents: Mapping[str, Incumbent],
    *,
    choice: Choice | None = None,
) -> Learned:
    """A model for leads before contact and, where enough were spoken with, one for those after."""
    choice = choice or Choice()
    versions: list[NewVersion] = []
    watched: dict[str, Mapping[str, Any]] = {}
    notes: list[str] = []
    for stage in (Stage.BEFORE_CONTACT, Stage.AFTER_CONTACT):
        rows = ordered_rows(examples, now, stage)
        incumbent = incumbents.get(stage)
        if stage is Stage.AFTER_CONTACT and label_for(rows.won) == RULES:
            continue
        found = _stage(rows, replace(choice, stage=stage), incumbent)
        seen = _watch(rows, incumbent)
        if incumbent is not None and seen is not None:
            watched[incumbent.id] = seen
            found += _repaired(rows, incumbent, seen, found)
        versions += found
        notes += rows.notes if stage is Stage.BEFORE_CONTACT else ()
    return Learned(versions, watched, notes)


def ordered_rows(examples: Sequence[Example], now: datetime, stage: Stage) -> Rows:
    """The examples of a stage that are ripe; who fell silent long ago counts as lost.

    They stand in the order of their days and at random within one: what came in together, such as
    a file without dates, has no newest part by which a model could be judged.
    """
    mine = {
        sha256_hex(str(one.lead_id)): one
        for one in examples
        if stage is Stage.BEFORE_CONTACT or one.after_contact is not None
    }
    cases = [Case(key, _day(one.seen_at), one.won, one.decided_at) for key, one in mine.items()]
    labels = ripe(cases, now, silence=max(patience(cases), LEAST_SILENCE))
    chosen = [mine[case.lead] for case in labels.cases]
    after = stage is Stage.AFTER_CONTACT
    records = [one.after_contact or {} if after else one.before_contact for one in chosen]
    frame: dict[str, list[Any]] = frame_of(records)
    for name in POINTS:
        frame.setdefault(name, [None] * len(records))
    decided = [one.decided_at for one in chosen]
    return Rows(frame, labels.won, decided, labels.left_out)


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _stage(rows: Rows, choice: Choice, incumbent: Incumbent | None) -> list[NewVersion]:
    """The versions of one stage: the candidate with its verdict, or the fallback."""
    serves_rules = incumbent is None or incumbent.model.label == RULES
    if label_for(rows.won) == RULES:
        model = train(rows.frame, rows.won, choice)
        notes = list(model.encoding.notes)
        if not serves_rules:
            notes.append("The model in service knows more and stays.")
        return [_version(rows, model, serves_rules, notes)]
    against = None if incumbent is None or serves_rules else incumbent.model
    reasons: list[str]
    try:
        found = candidate(rows.frame, rows.won, choice, incumbent=against)
        model, good = found.model, found.verdict.promote
        reasons = list(found.verdict.reasons)
        made = [_version(rows, model, good, reasons)]
    except Invalid as error:
        made, good, reasons = [], False, [error.message]
    if good or not serves_rules or choice.stage is Stage.AFTER_CONTACT:
        return made
    told = "The trained model did not pass; until one does the points answer."
    rules = train_rules(rows.frame, rows.won, choice)
    rules = replace(rules, card={**rules.card, "notes": [told]})
    return [*made, _version(rows, rules, True, [*reasons, told])]


def _version(rows: Rows, model: Model, promote: bool, reasons: Sequence[str]) -> NewVersion:
    packed = registry.pack(model)
    begin, end = rows.window
    return NewVersion(
        data=packed.data,
        sha256=packed.sha256,
        stage=str(model.encoding.stage),
        label=model.label,
        card=packed.card,
        promote=promote,
        reasons=list(reasons),
        data_from=begin,
        data_to=end,
    )


def _new_rows(rows: Rows, incumbent: Incumbent) -> npt.NDArray[np.bool_]:
    """The rows that were decided after the last one that the model learned from."""
    last = incumbent.data_to
    return np.array([at is not None and (last is None or at > last) for at in rows.decided], bool)


def _watch(rows: Rows, incumbent: Incumbent | None) -> Mapping[str, Any] | None:
    """How the outcomes since then, and the leads themselves, differ from what was learned."""
    if incumbent is None or not len(rows.won):
        return None
    new = _new_rows(rows, incumbent)
    if new.sum() < FEWEST_TO_WATCH or (~new).sum() < FEWEST_TO_WATCH:
        return None
    model = incumbent.model
    X = model.encoding.matrix(rows.frame, len(rows.won))
    found = drift.calibration(rows.won[new], model.logits(X[new]))
    columns = model.encoding.columns
    moved = drift.shifts(
        [one.name for one in columns], [one.levels for one in columns], X[~new], X[new]
    )
    return dict(drift.summary(found, moved[:20]))


def _repaired(
    rows: Rows, incumbent: Incumbent, seen: Mapping[str, Any], found: Sequence[NewVersion]
) -> list[NewVersion]:
    """The model in service with its intercept mended, where that is due and no better one came."""
    if any(one.promote for one in found) or seen["next_step"] != "intercept":
        return []
    model, new = incumbent.model, _new_rows(rows, incumbent)
    X = model.encoding.matrix(rows.frame, len(rows.won))
    move = drift.intercept_update(rows.won[new], model.logits(X[new]))
    mended = model.moved(move)
    mended = replace(mended, card={**model.card, "intercept_moved": move})
    reason = (
        f"On {int(new.sum()):,} newer outcomes {seen['wins_said']:.0f} wins were said and"
        f" {seen['wins_seen']:.0f} seen: every probability was moved by {move:+.2f} logits."
    )
    return [_version(rows, mended, True, [reason])]
