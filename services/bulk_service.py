"""BulkService: owner, stage or campaign of many leads at once, at once or in the background."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import FactKind, JobStatus
from errors import Conflict, NotFound, invalid_field
from models import AuditEntry, Event, Job, Lead
from services.account_service import AccountService
from services.job_service import JobService, Progress
from services.lead_table import LeadTable
from services.lead_view import LeadView
from services.lead_visibility import is_visible, see_only
from services.pipeline_service import PipelineService
from services.resources import Resources

KIND = "leads.bulk"
ASSIGN, STAGE, CAMPAIGN = "assign", "stage", "campaign"
ACTIONS = (ASSIGN, STAGE, CAMPAIGN)
# More are changed in the background.
AT_ONCE = 200
# From so many on nobody is told of each lead that they were given.
MANY = 10
LEADS_A_STEP, LONGEST_UNIT = 50, 0.15
UNDONE_WITHIN = timedelta(days=1)
LONGEST_VALUE = 255
_FACTS = {
    ASSIGN: FactKind.LEAD_ASSIGNED,
    STAGE: FactKind.LEAD_STAGED,
    CAMPAIGN: FactKind.LEAD_EDITED,
}


@dataclass(frozen=True)
class Change:
    """What is to become of each lead; None takes the owner, the campaign or the stage away."""

    action: str
    value: str | None


@dataclass(frozen=True)
class Who:
    """Who asks for it, and whose leads alone they see (None: all)."""

    email: str
    only_for: str | None = None


@dataclass(frozen=True)
class Done:
    """What came of it: how many leads, how many of them changed, and how to take it back."""

    leads: int
    changed: int
    entry_id: int
    job_id: str | None = None


class BulkService:
    """One change of many leads, one entry in the audit log, one way back."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.accounts = AccountService(session, resources)

    def change_some(self, ids: Sequence[int], change: Change, who: Who) -> Done:
        """These leads, as far as they may be seen, changed now."""
        change, first = self._checked(change), self._last_event()
        table = LeadTable(self.session, self.resources, reader=who.email)
        ids = list(table.among(list(dict.fromkeys(ids))[:AT_ONCE]))
        with self.accounts.as_one(who.email, f"leads.{change.action}", "leads") as entry:
            changed = self._apply(ids, change, who, many=len(ids) > MANY)
            entry.detail = {"to": change.value, "leads": ids, "changed": changed, "after": first}
        return Done(len(ids), changed, entry.id)

    def change_all(self, view: LeadView, change: Change, who: Who) -> Done:
        """Every lead of a view: now if they are few, else by a job that somebody may watch."""
        table = LeadTable(self.session, self.resources, reader=who.email)
        count = table.count_all(view)
        if count <= AT_ONCE:
            return self.change_some(list(table.ids(view)), change, who)
        change = self._checked(change)
        payload = {
            "view": view.plain(),
            "action": change.action,
            "value": change.value,
            "leads": count,
        }
        return self._in_background(payload, who, count)

    def go_on(self, job: Job) -> Progress:
        """Some leads more, as many as a unit may take."""
        told, until = job.payload, time.monotonic() + LONGEST_UNIT
        who = Who(told["actor"], told["only_for"])
        if who.only_for is not None:
            see_only(self.session, who.only_for)
        table = LeadTable(self.session, self.resources, reader=who.email)
        after, done, changed = told.get("at", 0), job.done, told.get("changed", 0)
        view = LeadView.of(told["view"])
        while time.monotonic() < until:
            ids = table.ids_after(view, after, told["last"], LEADS_A_STEP)
            if not ids:
                ended = {"leads": done, "changed": changed}
                return Progress(done, done, result=ended)
            # What the audit says of it stands in the entry of the request.
            with self.accounts.unsaid():
                changed += self._step(ids, told, who)
            after, done = ids[-1], done + len(ids)
        place = {"at": after, "changed": changed}
        return Progress(done, max(told["leads"], done), place)

    # Taking back

    def undo(self, entry_id: int, who: Who) -> Done:
        """What an entry of theirs changed, as it was; what was changed since stays as it is."""
        entry, action = self._entry(entry_id, who)
        told = entry.detail
        if "job" not in told:
            return self._undo_some(told["leads"], Change(action, told["to"]), told["after"], who)
        job = self.session.get(Job, told["job"])
        if job is None or job.status != JobStatus.DONE:
            raise Conflict("This is still going on; it can be taken back once it is done.")
        payload = {
            "view": {},
            "action": action,
            "value": told["to"],
            "leads": job.done,
            "undoes": told["after"],
        }
        return self._in_background(payload, who, job.done)

    def _undo_some(self, ids: Sequence[int], change: Change, after: int, who: Who) -> Done:
        with self.accounts.as_one(who.email, "leads.undone", "leads") as entry:
            changed = self._take_back(ids, change, after, who)
            entry.detail = {"action": change.action, "changed": changed}
        return Done(len(ids), changed, entry.id)

    def _entry(self, entry_id: int, who: Who) -> tuple[AuditEntry, str]:
        entry = self.session.get(AuditEntry, entry_id)
        action = entry.action.removeprefix("leads.") if entry else ""
        if entry is None or entry.actor != who.email or action not in ACTIONS:
            raise NotFound("There is nothing of yours to take back here.", code="unknown_change")
        if self.resources.clock.now() - entry.recorded_at > UNDONE_WITHIN:
            raise Conflict("This was done more than a day ago; change the leads themselves.")
        return entry, action

    def _take_back(self, ids: Sequence[int], change: Change, after: int, who: Who) -> int:
        """Each lead that still is as the change made it goes back to what it was before."""
        facts = self.session.scalars(
            select(Event)
            .where(Event.lead_id.in_(ids), Event.kind == _FACTS[change.action], Event.id > after)
            .order_by(Event.id)
        )
        before: dict[int, str | None] = {}
        for fact in facts:
            told = fact.measured
            mine = told.get("actor") == who.email and told.get("to") == change.value
            if mine and fact.lead_id is not None and "from" in told:
                before[fact.lead_id] = told["from"]
        column = {ASSIGN: Lead.assigned_to, STAGE: Lead.stage, CAMPAIGN: Lead.campaign}
        is_so = select(Lead.id).where(
            Lead.id.in_(before), column[change.action].is_not_distinct_from(change.value)
        )
        groups: dict[str | None, list[int]] = {}
        for lead_id in self.session.scalars(is_so):
            groups.setdefault(before[lead_id], []).append(lead_id)
        return sum(
            self._apply(same, Change(change.action, value), who, many=True)
            for value, same in groups.items()
        )

    # Doing

    def _checked(self, change: Change) -> Change:
        """The change with its stage as the pipeline writes it; Invalid where it cannot be."""
        value = (change.value or "").strip() or None
        if change.action not in ACTIONS:
            raise invalid_field("action", "There is no such change.")
        if value is not None and len(value) > LONGEST_VALUE:
            raise invalid_field("value", f"At most {LONGEST_VALUE} characters are kept.")
        if change.action == STAGE and value is not None:
            stage = PipelineService(self.session, self.resources).stages().find(value)
            if stage is None:
                raise invalid_field("value", "There is no such stage.")
            value = stage.name
        return Change(change.action, value)

    def _in_background(self, payload: Mapping[str, Any], who: Who, count: int) -> Done:
        first = self._last_event()
        table = LeadTable(self.session, self.resources, reader=who.email)
        told = {**payload, "actor": who.email, "only_for": who.only_for, "last": table.last_id()}
        jobs = JobService(self.session, self.resources)
        job = jobs.request(KIND, requested_by=who.email, payload=told)
        name = "undone" if "undoes" in payload else payload["action"]
        with self.accounts.as_one(who.email, f"leads.{name}", "leads") as entry:
            entry.detail = {
                "to": payload["value"],
                "job": job["job_id"],
                "count": count,
                "after": first,
            }
        return Done(count, 0, entry.id, job["job_id"])

    def _step(self, ids: Sequence[int], told: Mapping[str, Any], who: Who) -> int:
        change = Change(told["action"], told["value"])
        if "undoes" in told:
            return self._take_back(ids, change, told["undoes"], who)
        return self._apply(ids, change, who, many=True)

    def _apply(self, ids: Sequence[int], change: Change, who: Who, *, many: bool) -> int:
        """How many leads really changed."""
        if change.action == STAGE:
            return self._move(ids, change.value, who)
        column = Lead.assigned_to if change.action == ASSIGN else Lead.campaign
        rows = self.session.execute(
            select(Lead.id, column)
            .where(Lead.id.in_(ids), *is_visible(), column.is_distinct_from(change.value))
            .order_by(Lead.id)
            .with_for_update()
        ).all()
        if not rows:
            return 0
        now, values = self.resources.clock.now(), {column.key: change.value}
        changed = [lead_id for lead_id, _ in rows]
        self.session.execute(
            update(Lead)
            .where(Lead.id.in_(changed))
            .values(**values, updated_at=now, last_activity_at=now),
            execution_options={"synchronize_session": False},
        )
        self.session.expire_all()
        facts = [self._fact(change, who, one, before, many) for one, before in rows]
        outbox.record(self.session, *facts)
        return len(changed)

    def _fact(
        self, change: Change, who: Who, lead_id: int, before: str | None, many: bool
    ) -> outbox.NewFact:
        measured: dict[str, Any] = {"from": before, "to": change.value, "actor": who.email}
        personal = None
        if change.action == CAMPAIGN:
            measured |= {"fields": ["campaign"], "contact": False, "by": "staff"}
            personal = {"profile": {"campaign": change.value}}
        elif many:
            measured["among_many"] = True
        now = self.resources.clock.now()
        return outbox.NewFact(
            _FACTS[change.action], now, measured=measured, personal=personal, lead_id=lead_id
        )

    def _move(self, ids: Sequence[int], stage: str | None, who: Who) -> int:
        """One by one: a won or lost stage ends each lead's conversations."""
        pipeline = PipelineService(self.session, self.resources)
        mine = (Lead.id.in_(ids), *is_visible())
        now_in = self.session.execute(select(Lead.id, Lead.stage).where(*mine)).all()
        moved = [lead_id for lead_id, present in now_in if present != stage]
        for lead_id in sorted(moved):
            pipeline.set_stage(lead_id, stage, actor=who.email)
        return len(moved)

    def _last_event(self) -> int:
        return self.session.scalar(select(func.max(Event.id))) or 0
