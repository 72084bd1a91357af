"""PipelineStages: the stages of this workspace, as people arranged them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

import outbox
from engine.stages import SHIPPED, Pipeline, plain_stages, read_pipeline
from engine.vocabulary import FactKind
from errors import Conflict, invalid_field
from models import Lead, WorkspaceSetting
from services.account_service import AccountService
from services.resources import Resources

SETTING = "pipeline"


class PipelineStages:
    """What stages there are; where a lead stands is PipelineService's."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def in_force(self) -> Pipeline:
        """The workspace's own stages, else the shipped ones."""
        kept = self.session.get(WorkspaceSetting, SETTING)
        return read_pipeline(kept.value["stages"]) if kept else SHIPPED

    def change(self, stages: Sequence[Mapping[str, Any]], *, actor: str) -> Pipeline:
        """Keep other stages; Conflict where a lead would lose its stage or what that means."""
        try:
            pipeline = read_pipeline(list(stages))
        except ValueError as error:
            raise invalid_field("stages", str(error)) from None
        self._refuse_stranding(pipeline)
        value = {"stages": plain_stages(pipeline)}
        now = self.resources.clock.now()
        kept = self.session.get(WorkspaceSetting, SETTING, with_for_update=True)
        if kept is None:
            kept = WorkspaceSetting(name=SETTING)
            self.session.add(kept)
        kept.value, kept.updated_by, kept.updated_at = value, actor, now
        fact = outbox.NewFact(FactKind.SETTINGS_CHANGED, now, {"name": SETTING, **value})
        outbox.record(self.session, fact)
        accounts = AccountService(self.session, self.resources)
        accounts.audit(actor, "settings.changed", SETTING, value)
        self.session.flush()
        return pipeline

    def stands_in(self, name: str) -> ColumnElement[bool]:
        """The condition that a lead stands in a stage; not moved yet means in the first."""
        pipeline = self.in_force()
        stage = pipeline.find(name)
        if stage is None:
            return Lead.stage == name
        mine = Lead.stage == stage.name
        return or_(mine, Lead.stage.is_(None)) if stage == pipeline.first else mine

    def _refuse_stranding(self, pipeline: Pipeline) -> None:
        before = self.in_force()
        rows = self.session.execute(
            select(Lead.stage, func.count())
            .where(Lead.stage.is_not(None), Lead.deleted_at.is_(None))
            .group_by(Lead.stage)
            .order_by(Lead.stage)
        )
        for name, count in rows:
            was = before.find(name)
            if was is not None and pipeline.find(name) != was:
                raise Conflict(
                    f"In {name} there are leads ({count}); move them before it changes.",
                    code="stage_in_use",
                )
