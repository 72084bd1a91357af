"""ExperimentRows: an experiment under its lock, its epochs and history; facts and audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import FactKind
from experiment_draws import HOLDOUT
from lib.clock import iso
from models import AuditEntry, Experiment, ExperimentEpoch
from services.account_service import AccountService
from services.resources import Resources

THE_PROGRAM = "the program"


class ExperimentRows:
    """What every use case that changes an experiment writes beside it."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def find_locked(self, name: str) -> Experiment | None:
        """The experiment's row, this unit's alone."""
        # The weaker lock: visitors' rows point at this one, and must not wait for an edit.
        statement = (
            select(Experiment).where(Experiment.name == name).with_for_update(key_share=True)
        )
        return self.session.scalar(statement.execution_options(populate_existing=True))

    def epochs(self, name: str) -> Sequence[ExperimentEpoch]:
        """The stretches in which the arms had the same shares, in their order."""
        return self.session.scalars(
            select(ExperimentEpoch)
            .where(ExperimentEpoch.experiment == name)
            .order_by(ExperimentEpoch.epoch)
        ).all()

    def open_epoch(
        self, row: Experiment, weights: Mapping[str, float], reason: str, now: datetime
    ) -> None:
        """Begin the stretch that the row has come to."""
        self.session.add(
            ExperimentEpoch(
                experiment=row.name,
                epoch=row.epoch,
                weights=dict(weights),
                reason=reason,
                opened_at=now,
            )
        )

    def note(self, kind: FactKind, name: str, detail: Mapping[str, Any], who: str) -> None:
        """The fact, and the line of the audit."""
        self.record(kind, name, detail)
        self.audit(who, str(kind), name, detail)

    def record(self, kind: FactKind, name: str, detail: Mapping[str, Any]) -> None:
        """The fact alone."""
        measured = {"experiment": name, **detail}
        now = self.resources.clock.now()
        outbox.record(self.session, outbox.NewFact(kind, now, measured=measured))

    def audit(self, who: str, action: str, name: str, detail: Mapping[str, Any]) -> None:
        """A line of the audit."""
        AccountService(self.session, self.resources).audit(who, action, name, dict(detail))

    def history(self, name: str) -> list[dict[str, Any]]:
        """Who did what with an experiment, and when."""
        rows = self.session.scalars(
            select(AuditEntry)
            .where(
                AuditEntry.subject == name,
                or_(AuditEntry.action.like("experiment.%"), AuditEntry.action == HOLDOUT),
            )
            .order_by(AuditEntry.id)
        )
        return [
            {"at": iso(row.recorded_at), "by": row.actor, "action": row.action, **row.detail}
            for row in rows
        ]
