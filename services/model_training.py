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
from ml import registry
from ml.features import Choice, Stage, frame_of
from ml.labels import Case, patience, ripe
from ml.predict import Model
from ml.train import candidate, label_for, train, train_rules
from services.lead_past import POINTS
from services.model_store import RULES, NewVersion, Returned
from services.model_watch import Incumbent, Rows, repair, watch
from services.training_rows import LEAST_SILENCE, Example

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Learned:
    """What a training gave: versions to keep in this order, and how the world moved by model."""

    versions: Sequence[NewVersion]
    drift: Mapping[str, Mapping[str, Any]]
    notes: Sequence[str]
    returned: Sequence[Returned] = ()


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
    returned: list[Returned] = []
    for stage in (Stage.BEFORE_CONTACT, Stage.AFTER_CONTACT):
        rows = ordered_rows(examples, now, stage)
        incumbent = incumbents.get(stage)
        if stage is Stage.AFTER_CONTACT and label_for(rows.won) == RULES:
            continue
        wanted = replace(choice, stage=stage)
        found = _stage(rows, wanted, incumbent)
        seen = watch(rows, incumbent)
        if incumbent is not None and seen is not None:
            watched[incumbent.id] = seen.state
            mended = None
            if not any(one.promote for one in found):
                mended = repair(rows, incumbent, seen, wanted)
            if mended is not None and mended.returned is not None:
                returned.append(_back(mended.returned, mended.reasons))
            elif mended is not None and mended.model is not None:
                found.append(_version(mended.rows or rows, mended.model, True, mended.reasons))
        versions += found
        notes += rows.notes if stage is Stage.BEFORE_CONTACT else ()
    return Learned(versions, watched, notes, returned)


def _back(previous: Incumbent, reasons: Sequence[str]) -> Returned:
    model = previous.model
    return Returned(previous.id, str(model.encoding.stage), model.label, reasons)


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
    cases = [
        Case(key, _day(one.seen_at), one.won, one.decided_at, one.propensity)
        for key, one in mine.items()
    ]
    labels = ripe(cases, now, silence=max(patience(cases), LEAST_SILENCE))
    chosen = [mine[case.lead] for case in labels.cases]
    after = stage is Stage.AFTER_CONTACT
    records = [one.after_contact or {} if after else one.before_contact for one in chosen]
    frame: dict[str, list[Any]] = frame_of(records)
    for name in POINTS:
        frame.setdefault(name, [None] * len(records))
    decided = [one.decided_at for one in chosen]
    # Where all were as likely to be called, there is nothing to undo.
    weights = labels.weights if len(set(labels.weights.tolist())) > 1 else None
    return Rows(frame, labels.won, decided, labels.left_out, weights)


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
        found = candidate(rows.frame, rows.won, choice, incumbent=against, weights=rows.weights)
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
