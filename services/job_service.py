"""JobService: work in the background; who runs it, how far it is, and which slots are taken."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import JobStatus
from errors import NotFound
from models import Job, JobRun, Lease
from services.resources import Resources

# A leader says every few seconds that it still leads; the next one waits no longer than this.
LEADS_FOR = timedelta(seconds=15)
# A job that dies under its runner again and again is not run for ever.
MOST_ATTEMPTS = 5


class JobService:
    """Jobs that somebody asked for, and the slots of those that run by the clock."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def request(
        self, kind: str, *, requested_by: str, payload: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Have something done in the background: what the caller may watch."""
        now = self.resources.clock.now()
        identifier = outbox.enqueue_job(
            self.session, kind, requested_by=requested_by, now=now, payload=payload
        )
        return {"job_id": identifier, "kind": kind, "status": str(JobStatus.QUEUED)}

    def get(self, identifier: str) -> dict[str, Any]:
        """How far a job is; NotFound for an unknown one."""
        job = self.session.get(Job, identifier)
        if job is None:
            raise NotFound("There is no job of this id.", code="unknown_job")
        return {
            "job_id": job.id,
            "kind": job.kind,
            "status": job.status,
            "done": job.done,
            "total": job.total,
            "result": job.result,
            "error": job.error,
        }

    # Jobs that were asked for

    def claim(self, lease: timedelta = outbox.LEASE) -> Job | None:
        """A job that is due, now this caller's until its lease runs out."""
        now = self.resources.clock.now()
        waiting = (
            select(Job.id)
            .where(Job.due_at <= now)
            .order_by(Job.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        identifier = self.session.scalar(waiting)
        if identifier is None:
            return None
        return self.session.scalars(
            update(Job)
            .where(Job.id == identifier, Job.due_at <= now)
            .values(
                status=str(JobStatus.RUNNING),
                attempts=Job.attempts + 1,
                due_at=now + lease,
                lease=secrets.token_hex(16),
            )
            .returning(Job),
            execution_options={"populate_existing": True},
        ).one_or_none()

    def extend(
        self, job: Job, *, done: int, total: int | None, lease: timedelta = outbox.LEASE
    ) -> bool:
        """Say how far a job is and keep it; False when its lease had gone to somebody else."""
        due_at = self.resources.clock.now() + lease
        return self._change(job, {"done": done, "total": total, "due_at": due_at})

    def finish(
        self, job: Job, *, result: Mapping[str, Any] | None = None, error: str | None = None
    ) -> bool:
        """The end of a job, good or bad; False when its lease had gone to somebody else."""
        values = {
            "status": str(JobStatus.FAILED if error else JobStatus.DONE),
            "due_at": None,
            "lease": None,
            "result": dict(result) if result is not None else None,
            "error": error,
            "finished_at": self.resources.clock.now(),
        }
        return self._change(job, values)

    def _change(self, job: Job, values: Mapping[str, Any]) -> bool:
        result = self.session.execute(
            update(Job)
            .where(Job.id == job.id, Job.lease == job.lease)
            .values(**values)
            .returning(Job.id),
            execution_options={"synchronize_session": False},
        )
        return result.scalar_one_or_none() is not None

    # Slots of the schedule

    def lead(self, name: str, owner: str, leads_for: timedelta = LEADS_FOR) -> int | None:
        """The fence of a lease that is now the owner's; None while somebody else leads."""
        now = self.resources.clock.now()
        held = self.session.get(Lease, name, with_for_update=True)
        if held is None:
            return self._first(name, owner, now + leads_for)
        if held.owner != owner and held.until > now:
            return None
        if held.owner != owner:
            held.owner, held.fence = owner, held.fence + 1
        held.until = now + leads_for
        self.session.flush()
        return held.fence

    def _first(self, name: str, owner: str, until: datetime) -> int | None:
        """The very first lease; of two who ask at once one gets it."""
        try:
            with self.session.begin_nested():
                self.session.execute(
                    insert(Lease).values(name=name, owner=owner, until=until, fence=1)
                )
        except IntegrityError:
            return None
        return 1

    def resign(self, name: str, owner: str) -> None:
        """Let the next one lead at once."""
        self.session.execute(
            update(Lease)
            .where(Lease.name == name, Lease.owner == owner)
            .values(until=self.resources.clock.now())
        )

    def take_slot(self, job: str, slot: int, *, owner: str, fence: int) -> bool:
        """Whether this slot is ours to run: nobody has taken it, whoever thinks to lead."""
        try:
            with self.session.begin_nested():
                self.session.execute(
                    insert(JobRun).values(
                        job=job,
                        slot=slot,
                        owner=owner,
                        fence=fence,
                        started_at=self.resources.clock.now(),
                    )
                )
        except IntegrityError:
            return False
        return True

    def finish_slot(self, job: str, slot: int, owner: str, result: Mapping[str, Any]) -> None:
        """Write down what a slot came to."""
        self.session.execute(
            update(JobRun)
            .where(JobRun.job == job, JobRun.slot == slot, JobRun.owner == owner)
            .values(finished_at=self.resources.clock.now(), result=dict(result))
        )

    def last_slot(self, job: str) -> int | None:
        """The newest slot that anybody took."""
        return self.session.scalar(select(func.max(JobRun.slot)).where(JobRun.job == job))

    def forget_slots(self, before: datetime) -> int:
        """Take old slots away; how many."""
        gone = self.session.execute(
            delete(JobRun).where(JobRun.started_at < before).returning(JobRun.slot)
        )
        return len(gone.all())
