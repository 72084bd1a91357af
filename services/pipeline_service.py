"""PipelineService: stages, owners, snooze, outcomes; the diary of a lead is DiaryService."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

import outbox
from engine.stages import Pipeline, Stage
from engine.vocabulary import FactKind, Outcome, StageKind
from errors import Conflict, invalid_field
from lib.clock import iso
from models import Conversation, Lead
from services.lead_visibility import keep_in_sight
from services.pipeline_stages import PipelineStages
from services.resources import Resources
from services.sales_step import SalesStep
from services.session_store import Held, SessionStore

# What of an edit of a lead is the pipeline's.
COLUMNS = ("assigned_to", "stage", "snoozed_until")
CLOCK = "clock"


class PipelineService:
    """Where each lead stands, who works it, and how it ended."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.store = SessionStore(session, resources)

    # Stages

    def stages(self) -> Pipeline:
        """The stages of this workspace: its own, else the shipped ones."""
        return PipelineStages(self.session, self.resources).in_force()

    def change_stages(self, stages: Sequence[Mapping[str, Any]], *, actor: str) -> Pipeline:
        """Keep other stages; Conflict where a lead would lose its stage or what that means."""
        return PipelineStages(self.session, self.resources).change(stages, actor=actor)

    # One lead

    def change(self, lead_id: int, data: Mapping[str, Any], *, actor: str) -> None:
        """What an edit of a lead says of the pipeline: its owner, its stage, its snooze."""
        if "assigned_to" in data:
            self.assign(lead_id, data["assigned_to"], actor=actor)
        if "stage" in data:
            self.set_stage(lead_id, data["stage"], actor=actor)
        if "snoozed_until" in data:
            self.snooze(lead_id, data["snoozed_until"], actor=actor)

    def assign(self, lead_id: int, owner: str | None, *, actor: str) -> None:
        """Make somebody the lead's owner, or (None) nobody."""
        step = SalesStep(self.session, self.resources, lead_id, actor)
        before, after = step.lead.assigned_to, (owner or "").strip() or None
        if before == after:
            return
        keep_in_sight(self.session, lead_id)
        step.set(assigned_to=after, last_activity_at=step.now)
        step.record(FactKind.LEAD_ASSIGNED, {"from": before, "to": after})
        step.audit("lead.assigned", {"from": before, "to": after})

    def set_stage(
        self, lead_id: int, name: str | None, *, actor: str, expected: str | None = None
    ) -> None:
        """Move the lead to a stage; a won or lost one is its outcome, an open one reopens it.

        Null takes it back to where nobody has moved it. A closed conversation stays closed.
        Conflict where somebody else has moved it meanwhile from the stage that is `expected`.
        """
        stage = self._known(name)
        ends = stage.kind is not StageKind.OPEN
        held = self._lock_sessions(lead_id) if ends else []
        step = SalesStep(self.session, self.resources, lead_id, actor)
        if expected is not None:
            self._refuse_moved(step.lead, expected)
        moved = self._move(step, stage.name if name is not None else None)
        if ends and step.lead.outcome != stage.kind:
            self._conclude(step, held, Outcome(stage.kind), None, step.now, audited=not moved)

    def snooze(self, lead_id: int, until: datetime | None, *, actor: str) -> None:
        """Let the lead rest until a moment to come; None wakes it."""
        step = SalesStep(self.session, self.resources, lead_id, actor)
        if until == step.lead.snoozed_until:
            return
        if until is not None and step.planned("snoozed_until", until) <= step.now:
            raise invalid_field("snoozed_until", "This moment is over; choose a later one.")
        step.set(snoozed_until=until)
        if until is None:
            step.record(FactKind.LEAD_WOKEN, {})
        else:
            step.record(FactKind.LEAD_SNOOZED, {"until": iso(until)})
        step.audit("lead.snoozed", {"until": iso(until) if until else None})

    def record_outcome(
        self,
        lead_id: int,
        outcome: str,
        *,
        value: float | None = None,
        occurred_at: datetime | None = None,
        actor: str,
        expected: str | None = None,
    ) -> dict[str, Any]:
        """How the sale ended; the lead goes to the first stage of that kind, its talks close.

        Told again, nothing happens; told otherwise, the later word counts. Conflict where somebody
        has moved the lead meanwhile from the stage that is `expected`.
        """
        held = self._lock_sessions(lead_id)
        step = SalesStep(self.session, self.resources, lead_id, actor)
        if expected is not None:
            self._refuse_moved(step.lead, expected)
        at = step.happened(occurred_at)
        told = (str(outcome), value, at if occurred_at else step.lead.outcome_at)
        is_news = told != (step.lead.outcome, step.lead.outcome_value, step.lead.outcome_at)
        if is_news:
            self._conclude(step, held, Outcome(outcome), value, at)
        pipeline = self.stages()
        now_in = pipeline.find(step.lead.stage)
        if now_in is None or now_in.kind != outcome:
            # Who did it stands in the row of the outcome already.
            self._move(step, pipeline.first_of(StageKind(outcome)).name, audited=not is_news)
        return {"lead_id": str(lead_id), **outcome_view(step.lead), **step.score()}

    def recycle(self, lead_id: int, campaign: str, *, actor: str) -> None:
        """An ended sale starts anew in a campaign: open, in the first stage, its snooze over.

        Conflict while it is open. Its closed conversations stay closed.
        """
        step = SalesStep(self.session, self.resources, lead_id, actor)
        name = campaign.strip()
        if not name:
            raise invalid_field("campaign", "Name the campaign in which it starts anew.")
        if step.lead.outcome is None:
            raise Conflict("This lead is still open; it needs no new start.", code="lead_open")
        before, outcome, stage = step.lead.campaign, step.lead.outcome, step.lead.stage
        first = self.stages().first
        step.set(
            **{"outcome": None, "outcome_value": None, "outcome_at": None, "snoozed_until": None},
            **{"stage": first.name, "staged_at": step.now, "last_activity_at": step.now},
            campaign=name,
        )
        # Who learns of stages, and what a model learns from, hears of it as of any other move.
        measured = {"from": stage, "to": first.name, "kind": str(first.kind), "reopened": True}
        step.record(FactKind.LEAD_STAGED, measured)
        said = {"from": before, "to": name, "outcome": outcome}
        step.record(FactKind.LEAD_RECYCLED, said)
        step.audit("lead.recycled", said)

    # The clock

    def wake_snoozed(self, now: datetime, limit: int) -> list[int]:
        """Leads whose rest is over, woken; their ids."""
        over = (Lead.snoozed_until <= now, Lead.deleted_at.is_(None))
        resting = select(Lead.id).where(*over).order_by(Lead.snoozed_until, Lead.id).limit(limit)
        ids = self.session.scalars(resting.with_for_update(skip_locked=True)).all()
        woken = sorted(
            self.session.scalars(
                update(Lead)
                .where(Lead.id.in_(ids), *over)
                .values(snoozed_until=None)
                .returning(Lead.id)
            )
        )
        measured = {"actor": CLOCK}
        facts = [outbox.NewFact(FactKind.LEAD_WOKEN, now, measured, lead_id=one) for one in woken]
        outbox.record(self.session, *facts)
        return woken

    # Within

    def _known(self, name: str | None) -> Stage:
        pipeline = self.stages()
        stage = pipeline.find(name)
        if stage is None:
            known = ", ".join(one.name for one in pipeline.stages)
            raise invalid_field("stage", f"There is no such stage; there are {known}.")
        return stage

    def _refuse_moved(self, lead: Lead, expected: str) -> None:
        pipeline = self.stages()
        stands, thought = pipeline.find(lead.stage), pipeline.find(expected)
        if stands != thought or (stands is None and lead.stage != expected):
            where = stands.name if stands else lead.stage
            raise Conflict(
                f"Somebody else has moved this lead to {where}; nothing was changed.",
                code="moved_meanwhile",
            )

    def _move(self, step: SalesStep, to: str | None, *, audited: bool = True) -> bool:
        """The lead in another stage, False if it stood there; an open one reopens its outcome."""
        before = step.lead.stage
        if before == to:
            return False
        stage = self._known(to)
        measured: dict[str, Any] = {"from": before, "to": to, "kind": str(stage.kind)}
        columns: dict[str, Any] = {"stage": to, "staged_at": step.now}
        if stage.kind is StageKind.OPEN and step.lead.outcome is not None:
            measured["reopened"] = True
            columns |= {"outcome": None, "outcome_value": None, "outcome_at": None}
        step.set(last_activity_at=step.now, **columns)
        step.record(FactKind.LEAD_STAGED, measured)
        if audited:
            step.audit("lead.staged", measured)
        return True

    def _conclude(
        self,
        step: SalesStep,
        held: Sequence[Held],
        outcome: Outcome,
        value: float | None,
        at: datetime,
        *,
        audited: bool = True,
    ) -> None:
        """The outcome in the lead and as a fact that closes each of its conversations."""
        before = step.lead.outcome
        said = {"outcome": str(outcome), "value": value, "from": before, "occurred_at": iso(at)}
        if not held:
            step.record(FactKind.OUTCOME_RECORDED, said, occurred_at=at)
        for one in held:
            # Only the last one tells it: the others are closed, the sale is not won twice.
            told = {**said, "actor": step.actor} if one is held[-1] else {"outcome": None}
            one.record(FactKind.OUTCOME_RECORDED, step.now, told)
            self.store.save(one)
            self.store.flush()
        step.set(outcome=str(outcome), outcome_value=value, outcome_at=at)
        if audited:
            detail = {"outcome": str(outcome), "value": value, "from": before}
            step.audit("outcome.recorded", detail)

    def _lock_sessions(self, lead_id: int) -> list[Held]:
        """The lead's conversations, locked before the lead as a visitor's request locks them.

        The best comes last: what is written last decides the lead's class.
        """
        mine = select(Conversation.id).where(
            Conversation.lead_id == lead_id,
            Conversation.lead_id == Lead.id,
            Lead.deleted_at.is_(None),
        )
        ids = self.session.scalars(mine.order_by(Conversation.score, Conversation.id)).all()
        return [self.store.lock(session_id) for session_id in ids]


def outcome_view(lead: Lead) -> dict[str, Any]:
    """How a lead ended, as the wire shows it."""
    return {
        "outcome": lead.outcome,
        "value": lead.outcome_value,
        "occurred_at": iso(lead.outcome_at) if lead.outcome_at else None,
        "stage": lead.stage,
    }
