"""JobService: work in the background; who runs it, how far it is, and which slots are taken."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import and_, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import outbox
from engine.vocabulary import JobStatus
from errors import NotFound
from models import Job, JobRun, Lease
from services.resources import Resources

# A leader says every few seconds that it still leads; the next one waits no longer than this.
LEADS_FOR = timedelta(seconds=15)
# A job that dies under its runner at the same place again and again is not run for ever.
MOST_ATTEMPTS = 5
SCHEDULE = "schedule"
KEPT_FOR, SCHEDULED_KEPT_FOR = timedelta(days=30), timedelta(days=3)


@dataclass(frozen=True)
class Progress:
    """How far a job is after one more unit of work; `result` once it is at its end.

    `place` is what the next unit goes on from, in the runner that comes after a killed one, too.
    """

    done: int = 0
    total: int | None = None
    place: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None


class Watcher(Protocol):
    """Whoever wants to know how far a job is."""

    def may_watch(self, kind: str, requested_by: str) -> bool:
        """Whether a job of this kind, asked for by them, is any business of theirs."""


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
        return self._view(self._known(identifier))

    def watch(self, identifier: str, watcher: Watcher) -> dict[str, Any]:
        """How far a job is; NotFound for an unknown one and for one that is not theirs to see."""
        job = self._known(identifier)
        if not watcher.may_watch(job.kind, job.requested_by):
            raise _unknown()
        return self._view(job)

    def _known(self, identifier: str) -> Job:
        job = self.session.get(Job, identifier)
        if job is None:
            raise _unknown()
        return job

    def _view(self, job: Job) -> dict[str, Any]:
        return {
            "job_id": job.id,
            "kind": job.kind,
            "status": job.status,
            "done": job.done,
            "total": job.total,
            "result": job.result,
            "error": job.error,
        }

    def latest(self, kind: str) -> dict[str, Any] | None:
        """The job of this kind that was asked for last, None if there was none."""
        newest = select(Job.id).where(Job.kind == kind).order_by(Job.created_at.desc(), Job.id)
        identifier = self.session.scalar(newest.limit(1))
        return None if identifier is None else self.get(identifier)

    def waiting(self) -> int:
        """How many jobs are due and nobody has begun, or whoever had is gone."""
        due = Job.due_at <= self.resources.clock.now()
        return self.session.scalar(select(func.count()).select_from(Job).where(due)) or 0

    # Jobs that were asked for

    def claim(self, kinds: Collection[str], lease: timedelta = outbox.LEASE) -> Job | None:
        """A job of these kinds that is due, now this caller's until its lease runs out.

        Kinds that the caller does not know wait: a later release beside this one runs them.
        """
        now = self.resources.clock.now()
        due = (Job.due_at <= now, Job.kind.in_(kinds))
        waiting = (
            select(Job.id)
            .where(*due)
            .order_by(Job.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        identifier = self.session.scalar(waiting)
        if identifier is None:
            return None
        return self.session.scalars(
            update(Job)
            .where(Job.id == identifier, *due)
            .values(
                status=str(JobStatus.RUNNING),
                attempts=Job.attempts + 1,
                due_at=now + lease,
                lease=secrets.token_hex(16),
            )
            .returning(Job),
            execution_options={"populate_existing": True},
        ).one_or_none()

    def keep(self, job: Job, progress: Progress, lease: timedelta = outbox.LEASE) -> bool:
        """Say how far a job is and keep it; False when its lease had gone to somebody else."""
        values = {
            "done": progress.done,
            "total": progress.total,
            "payload": {**job.payload, **progress.place},
            # It got further: what killed its runners before is behind it.
            "attempts": 1,
            "due_at": self.resources.clock.now() + lease,
        }
        return self._change(job, values)

    def give_back(self, job: Job) -> None:
        """A job that its runner leaves before the end; the next one may go on at once."""
        values = {
            "status": str(JobStatus.QUEUED),
            "lease": None,
            "attempts": Job.attempts - 1,
            "due_at": self.resources.clock.now(),
        }
        self._change(job, values)

    def finish(self, job: Job, progress: Progress) -> bool:
        """The good end of a job; False when its lease had gone to somebody else."""
        result = dict(progress.result or {})
        ended = {"done": progress.done, "total": progress.total, "result": result}
        return self._end(job, JobStatus.DONE, ended)

    def fail(self, job: Job, error: str) -> bool:
        """The bad end of a job; False when its lease had gone to somebody else."""
        return self._end(job, JobStatus.FAILED, {"error": error})

    def _end(self, job: Job, status: JobStatus, values: Mapping[str, Any]) -> bool:
        now = self.resources.clock.now()
        ended = {"status": str(status), "due_at": None, "lease": None, "finished_at": now}
        if not self._change(job, {**values, **ended}):
            return False
        if slot := job.payload.get("slot"):
            said = values.get("result") or {"error": values.get("error")}
            self._finish_slot(job.payload["row"], slot, {"job_id": job.id, **said})
        return True

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
        # A lease that ends later than any lease can was taken while a clock was wrong.
        if held.owner != owner and now < held.until <= now + 2 * leads_for:
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

    def run_slot(
        self,
        row: str,
        slot: int,
        kind: str,
        payload: Mapping[str, Any],
        *,
        owner: str,
        fence: int,
    ) -> str | None:
        """The job that does the work of a slot; None if the slot was taken before.

        The slot is taken and its job written in one transaction, so that no kill comes between.
        Where the slot before is still at work, this one is its result and no second job.
        """
        if not self._take_slot(row, slot, owner=owner, fence=fence):
            return None
        running = self._unfinished(row, kind)
        if running is not None:
            self._finish_slot(row, slot, {"job_id": running, "skipped": "still running"})
            return running
        return outbox.enqueue_job(
            self.session,
            kind,
            requested_by=SCHEDULE,
            now=self.resources.clock.now(),
            payload={**payload, "row": row, "slot": slot},
        )

    def _take_slot(self, row: str, slot: int, *, owner: str, fence: int) -> bool:
        """Whether this slot is ours to run: nobody has taken it, whoever thinks to lead."""
        dialect = postgresql if self.session.get_bind().dialect.name == "postgresql" else sqlite
        now = self.resources.clock.now()
        taken = self.session.execute(
            dialect.insert(JobRun)
            .values(job=row, slot=slot, owner=owner, fence=fence, started_at=now)
            .on_conflict_do_nothing()
            .returning(JobRun.slot)
        )
        return taken.scalar_one_or_none() is not None

    def _unfinished(self, row: str, kind: str) -> str | None:
        waiting = select(Job).where(
            Job.due_at.is_not(None), Job.kind == kind, Job.requested_by == SCHEDULE
        )
        return next(
            (job.id for job in self.session.scalars(waiting) if job.payload.get("row") == row), None
        )

    def _finish_slot(self, row: str, slot: int, result: Mapping[str, Any]) -> None:
        self.session.execute(
            update(JobRun)
            .where(JobRun.job == row, JobRun.slot == slot)
            .values(finished_at=self.resources.clock.now(), result=dict(result))
        )

    def forget_old(self, most: int) -> int:
        """Take away some jobs and slots that ended long ago; how many."""
        now = self.resources.clock.now()
        by_clock = and_(Job.requested_by == SCHEDULE, Job.finished_at < now - SCHEDULED_KEPT_FOR)
        old = select(Job.id).where(or_(Job.finished_at < now - KEPT_FOR, by_clock)).limit(most)
        jobs = self.session.scalars(delete(Job).where(Job.id.in_(old)).returning(Job.id)).all()
        key = tuple_(JobRun.job, JobRun.slot)
        past = select(JobRun.job, JobRun.slot).where(JobRun.started_at < now - KEPT_FOR).limit(most)
        slots = self.session.scalars(delete(JobRun).where(key.in_(past)).returning(JobRun.slot))
        return len(jobs) + len(slots.all())


def _unknown() -> NotFound:
    return NotFound("There is no job of this id.", code="unknown_job")
