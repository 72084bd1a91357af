"""ModelStore: versions of models, their bytes and cards; which one answers, and since when."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, undefer

import outbox
from engine.vocabulary import FactKind
from errors import Conflict, NotFound
from lib.clock import iso
from models import Event, ModelVersion
from outbox import NewFact
from services.account_service import AccountService
from services.resources import Resources

if TYPE_CHECKING:
    from ml.predict import Model

CANDIDATE, PROMOTED, RETIRED, REFUSED = "candidate", "promoted", "retired", "refused"
BEFORE, AFTER = "before_contact", "after_contact"
PREDICT_JOB, TRAIN_JOB = "leads.predict", "models.train"
RULES = "rules"
# The name under which a process keeps the model that answers where none was ever trained.
PRIOR = "prior"
MOST_KEPT = 8


@dataclass(frozen=True)
class Stored:
    """The bytes of a model with the checksum that was written down, not read yet."""

    id: str
    data: bytes
    sha256: str


@dataclass(frozen=True)
class NewVersion:
    """A model to be kept: its bytes and card, what it was made from, and the gate's word on it."""

    data: bytes
    sha256: str
    stage: str
    label: str
    card: Mapping[str, Any]
    promote: bool
    reasons: Sequence[str]
    data_from: datetime | None = None
    data_to: datetime | None = None


@dataclass(frozen=True)
class Returned:
    """An earlier version that is to answer again, and why."""

    id: str
    stage: str
    label: str
    reasons: Sequence[str]


@dataclass(frozen=True)
class InService:
    """The models that answer now, by stage, ready to be asked."""

    models: Mapping[str, Model] = field(default_factory=dict)

    def for_lead(self, *, contacted: bool) -> Model:
        """The model for a lead that somebody spoke with, or nobody yet."""
        return self.models[AFTER] if contacted and AFTER in self.models else self.models[BEFORE]


class ModelStore:
    """What is written of models; reading their bytes is left to `load`, outside of a unit."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    # Which one answers

    def promoted(self) -> dict[str, str]:
        """The id of the model in service, by stage."""
        rows = self.session.execute(
            select(ModelVersion.stage, ModelVersion.id).where(ModelVersion.status == PROMOTED)
        )
        return {stage: identifier for stage, identifier in rows}

    def unloaded(self) -> list[Stored]:
        """The models in service that this process has not read."""
        wanted = [one for one in self.promoted().values() if one not in self.resources.models]
        return [self.stored(identifier) for identifier in wanted]

    def stored(self, identifier: str) -> Stored:
        """The bytes of a version; NotFound for an unknown one."""
        row = self._get(identifier, with_bytes=True)
        return Stored(row.id, row.artifact, row.sha256)

    def in_service(self) -> InService | None:
        """The models in service, if this process has read them all; None else, or without any."""
        promoted, loaded = self.promoted(), self.resources.models
        if BEFORE not in promoted or any(one not in loaded for one in promoted.values()):
            return None
        return InService({stage: loaded[one] for stage, one in promoted.items()})

    # Keeping

    def keep(self, new: NewVersion, *, by: str) -> str:
        """Write a trained model down, promoted if the gate let it through; its id."""
        identifier = f"mdl_{secrets.token_hex(8)}"
        now = self.resources.clock.now()
        row = ModelVersion(
            id=identifier,
            stage=new.stage,
            label=new.label,
            status=CANDIDATE if new.promote else REFUSED,
            sha256=new.sha256,
            artifact=new.data,
            card=dict(new.card),
            reasons=list(new.reasons),
            data_from=new.data_from,
            data_to=new.data_to,
            requested_by=by,
            created_at=now,
        )
        self.session.add(row)
        self.session.flush()
        measured = {
            "model_id": identifier,
            "stage": new.stage,
            "label": new.label,
            "rows": new.card.get("rows"),
            "wins": new.card.get("wins"),
            "passed": new.promote,
        }
        outbox.record(self.session, NewFact(FactKind.MODEL_TRAINED, now, measured))
        if new.promote:
            self.promote(identifier, by=by, reasons=new.reasons)
        return identifier

    def promote(self, identifier: str, *, by: str, reasons: Sequence[str] = ()) -> None:
        """Let a version answer from now on; the one before stays and can come back.

        Of a version that answered before, the fact says that it has returned.
        """
        row = self._get(identifier)
        if row.status == REFUSED:
            sentence = "The gate refused this model: " + " ".join(row.reasons)
            raise Conflict(sentence, code="model_refused")
        if row.status == PROMOTED:
            return
        now = self.resources.clock.now()
        # One at a time: of two promotions the second finds what the first has promoted.
        held = select(ModelVersion.id).where(ModelVersion.stage == row.stage).with_for_update()
        self.session.execute(held.order_by(ModelVersion.id)).all()
        replaced = self.promoted().get(row.stage)
        self.session.execute(
            update(ModelVersion)
            .where(ModelVersion.stage == row.stage, ModelVersion.status == PROMOTED)
            .values(status=RETIRED, retired_at=now)
        )
        kind = FactKind.MODEL_PROMOTED if row.status == CANDIDATE else FactKind.MODEL_RETURNED
        row.status, row.promoted_at, row.retired_at = PROMOTED, now, None
        self.session.flush()
        measured = {
            "model_id": identifier,
            "stage": row.stage,
            "label": row.label,
            "rows": row.card.get("rows"),
            "wins": row.card.get("wins"),
            "replaced": replaced,
            "replaced_label": self._get(replaced).label if replaced else None,
            "by": by,
            "reasons": list(reasons),
        }
        outbox.record(self.session, NewFact(kind, now, measured))
        accounts = AccountService(self.session, self.resources)
        accounts.audit(by, "model.promoted", f"model {identifier}", {"replaced": replaced})

    def previous(self, stage: str) -> str | None:
        """The version that answered for a stage before the one in service, None for none."""
        return self.session.scalar(
            select(ModelVersion.id)
            .where(ModelVersion.stage == stage, ModelVersion.status == RETIRED)
            .order_by(ModelVersion.retired_at.desc(), ModelVersion.id)
            .limit(1)
        )

    def note_drift(self, identifier: str, drift: Mapping[str, Any]) -> None:
        """Keep what was last seen of how the world moved away from a model."""
        self._get(identifier).drift = dict(drift)
        self.session.flush()

    def has_news(self) -> bool:
        """Whether an outcome was recorded since a model was last trained."""
        trained = self.session.scalar(
            select(func.max(Event.id)).where(Event.kind == FactKind.MODEL_TRAINED)
        )
        told = self.session.scalar(
            select(func.max(Event.id)).where(Event.kind == FactKind.OUTCOME_RECORDED)
        )
        return told is not None and told > (trained or 0)

    # Reading

    def list_cards(self) -> list[dict[str, Any]]:
        """Every version, the newest first, without the long parts of its card."""
        rows = self.session.scalars(
            select(ModelVersion).order_by(ModelVersion.created_at.desc(), ModelVersion.id)
        )
        return [_card(row, long=False) for row in rows]

    def card(self, identifier: str) -> dict[str, Any]:
        """All about one version."""
        return _card(self._get(identifier), long=True)

    def data_to(self, identifier: str) -> datetime | None:
        """The moment of the last outcome that a version learned from."""
        return self._get(identifier).data_to

    def _get(self, identifier: str, *, with_bytes: bool = False) -> ModelVersion:
        options = [undefer(ModelVersion.artifact)] if with_bytes else []
        row = self.session.get(ModelVersion, identifier, options=options)
        if row is None:
            raise NotFound("There is no model of this id.", code="unknown_model")
        return row


def load(resources: Resources, wanted: Sequence[Stored], *, or_prior: bool = False) -> None:
    """Read models into this process, each checked against its checksum and our format.

    It imports scikit-learn and takes a moment, so no transaction should be open. `or_prior` adds
    the model that answers where none was ever trained: the points, and what we believe of them.
    """
    from ml.registry import unpack

    for one in wanted:
        resources.models[one.id] = unpack(one.data, one.sha256, model_id=one.id)
    for old in list(resources.models)[:-MOST_KEPT]:
        resources.models.pop(old, None)
    if or_prior and PRIOR not in resources.models:
        resources.models[PRIOR] = _prior()


def in_service_or_prior(store: ModelStore) -> InService:
    """The models in service, or the prior where there is none; `load` must have come before."""
    return store.in_service() or InService({BEFORE: store.resources.models[PRIOR]})


def _prior() -> Model:
    import numpy as np

    from ml.train import train
    from services.lead_past import POINTS

    return train({name: [] for name in POINTS}, np.array([], dtype=np.int64))


_LONG = ("overview", "weights", "seed", "versions", "table_bytes", "notes")


def _card(row: ModelVersion, *, long: bool) -> dict[str, Any]:
    card = dict(row.card)
    reports = card.get("reports") or {}
    report = reports.get("newest") or reports.get("out_of_fold") or {}
    said: dict[str, Any] = {
        "id": row.id,
        "stage": row.stage,
        "label": row.label,
        "kind": "rules" if row.label == RULES else card.get("kind", "blend"),
        "status": row.status,
        "created_at": iso(row.created_at),
        "promoted_at": iso(row.promoted_at) if row.promoted_at else None,
        "retired_at": iso(row.retired_at) if row.retired_at else None,
        "requested_by": row.requested_by,
        "data_window": {
            "from": iso(row.data_from) if row.data_from else None,
            "to": iso(row.data_to) if row.data_to else None,
        },
        "rows": card.get("rows", 0),
        "wins": card.get("wins", 0),
        "metrics": _metrics(report),
        "features": card.get("features", []),
        "left_out": [
            {"column": name, "reason": reason}
            for name, reason in (card.get("left_out") or {}).items()
        ],
        "reasons": list(row.reasons),
        "drift": row.drift,
        "sha256": row.sha256,
    }
    if long:
        said["reports"] = {name: _report(one) for name, one in reports.items()}
        said |= {name: card[name] for name in _LONG if name in card}
    return said


def _metrics(report: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"value": value, "interval": [low, high]}
        for name, (value, low, high) in (report.get("figures") or {}).items()
    }


def _report(report: Mapping[str, Any]) -> dict[str, Any]:
    curve = [
        {"said": said, "seen": seen, "leads": leads}
        for said, seen, leads in report.get("curve", ())
    ]
    return {
        "how": report.get("how"),
        "rows": report.get("rows"),
        "wins": report.get("wins"),
        "metrics": _metrics(report),
        "calibration": curve,
    }
