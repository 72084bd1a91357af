"""Every job: a unit of work and one call, again and again until it says that it is at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import OperationalError

from errors import LeadlineError
from jobs.account_letters import prepare_letter
from jobs.importing import Importing
from jobs.training import prepare_predicting, prepare_training
from models import Job
from services import Services, unit_of_work
from services.agent_figures import AgentFigures
from services.experiment_bandits import ExperimentBandits
from services.job_service import MOST_ATTEMPTS, SCHEDULE, Progress
from services.refresh_service import RefreshService
from services.resources import Resources
from services.retention_service import RetentionService

log = structlog.get_logger(__name__)

# What one unit may take: on SQLite, visitors wait for it.
LONGEST_UNIT = 0.15
AT_ONCE, LEADS_AT_ONCE, SESSIONS_AT_ONCE = 100, 20, 50
# Of sessions that differ.
SHOWN = 5
DIED = "It was begun {} times and never came to its end; see the log."
FAULT = "The program failed while it did this; see its log."

# One unit of work of a job; `job.payload` holds what it was asked and where the last one stopped.
Task = Callable[[Services, Job], Progress]


@dataclass(frozen=True)
class Prepared:
    """A kind of job with work to be done before each of its units, while no transaction is open."""

    prepare: Callable[[Resources, Job], Task]


def _remind(services: Services, job: Job) -> Progress:
    until = time.monotonic() + LONGEST_UNIT
    due = services.diary.due_follow_ups(services.now(), AT_ONCE)
    done = job.done
    for follow_up in due:
        services.diary.remind(follow_up)
        done += 1
        if time.monotonic() > until:
            return Progress(done)
    return Progress(done, result={"reminded": done} if len(due) < AT_ONCE else None)


def _wake(services: Services, job: Job) -> Progress:
    woken = services.pipeline.wake_snoozed(services.now(), AT_ONCE)
    done = job.done + len(woken)
    return Progress(done, result=None if woken else {"woken": done})


def _make_digests(services: Services, job: Job) -> Progress:
    return Progress(result={"made": services.notifications.make_digests(job.payload["digest"])})


def _change_many(services: Services, job: Job) -> Progress:
    return services.bulk.go_on(job)


def _tidy_imports(services: Services, job: Job) -> Progress:
    return services.imports.tidy(job)


def _refresh(services: Services, job: Job) -> Progress:
    """All leads under the workflow in force, for who asked for it."""
    return _by_page(services, job, services.make(RefreshService).rescore)


def _renew(services: Services, job: Job) -> Progress:
    """What time has done to scores; the points of a talk are never another version's."""
    return _by_page(services, job, services.make(RefreshService).renew)


def _by_page(services: Services, job: Job, change: Callable[[Sequence[int]], int]) -> Progress:
    """Some leads more, as many as a unit may take."""
    refresh, until = services.make(RefreshService), time.monotonic() + LONGEST_UNIT
    total = refresh.count() if job.total is None else job.total
    after, changed, done = job.payload.get("after", 0), job.payload.get("changed", 0), job.done
    while time.monotonic() < until:
        page = refresh.page(after, LEADS_AT_ONCE)
        if not page:
            return Progress(done, done, result={"leads": done, "changed": changed})
        changed += change(page)
        after, done = page[-1], done + len(page)
    return Progress(done, max(total, done), {"after": after, "changed": changed})


def _count_agents(services: Services, job: Job) -> Progress:
    return Progress(result={"agents": services.make(AgentFigures).renew()})


def _move_traffic(services: Services, job: Job) -> Progress:
    """The weights of one experiment that earns; the next one has a unit of its own."""
    bandits = services.make(ExperimentBandits)
    name, moved = bandits.running(job.payload.get("after", "")), job.payload.get("moved", 0)
    if name is None:
        return Progress(job.done, job.done, result={"experiments": job.done, "moved": moved})
    moved += bandits.move(name) is not None
    return Progress(job.done + 1, place={"after": name, "moved": moved})


def _retain(services: Services, job: Job) -> Progress:
    progress = services.make(RetentionService).go_on(job.payload, actor=job.requested_by)
    if progress.result is not None and progress.result.get("stopped"):
        log.error("retention stopped", reason=progress.result["stopped"])
    return progress


def _tidy(services: Services, job: Job) -> Progress:
    gone = services.make(RetentionService).tidy()
    done = job.done + gone
    return Progress(done, result=None if gone else {"removed": done})


def _check_replay(services: Services, job: Job) -> Progress:
    report, last = services.replays.check_page(job.payload.get("after", ""), SESSIONS_AT_ONCE)
    done, said = job.done + report.sessions, job.payload.get("differences", [])
    said = [*said, *report.differences][:SHOWN]
    differ = job.payload.get("differ", 0) + len(report.differences)
    if last is not None:
        return Progress(done, place={"after": last, "differ": differ, "differences": said})
    if differ:
        # The operator's word for it is `flask --app main replay`, which names each.
        log.error("scores are not what their facts say", differences=differ)
    return Progress(done, done, result={"sessions": done, "differences": differ, "first": said})


def _try_workflow(services: Services, job: Job) -> Progress:
    return services.workflow_trial.go_on(job.payload, job.done, job.total)


# Every kind of job that can be asked for, by a person or by the clock.
KINDS: Mapping[str, Task | Prepared] = {
    "follow_ups.remind": _remind,
    "leads.wake": _wake,
    "digests.make": _make_digests,
    "leads.bulk": _change_many,
    "leads.refresh": _refresh,
    "scores.renew": _renew,
    "agents.count": _count_agents,
    "experiments.move": _move_traffic,
    "retention": _retain,
    "tidy": _tidy,
    "replay.check": _check_replay,
    "leads.import": Prepared(Importing().prepare),
    "imports.tidy": _tidy_imports,
    "leads.predict": Prepared(prepare_predicting),
    "models.train": Prepared(prepare_training),
    "workflow.try": _try_workflow,
    "people.write": Prepared(prepare_letter),
}


class _LeaseLost(Exception):
    """Somebody else has the job by now: this unit must not count."""


class Worker:
    """Runs jobs that are due, one after the other.

    What a unit did and how far the job is are written in one transaction, under the lease: a unit
    that counts was done once, whoever is killed or comes back from the dead.
    """

    def __init__(
        self,
        resources: Resources,
        kinds: Mapping[str, Task | Prepared] = KINDS,
        *,
        breath: float = 0.0,
    ) -> None:
        self.resources = resources
        self.kinds = kinds
        # Seconds after each unit in which others have the database to themselves.
        self.breath = breath

    def work(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Run the job that has waited longest; how many there were."""
        with unit_of_work(self.resources) as services:
            job = services.jobs.claim(self.kinds.keys(), self.resources.lease)
            if job is None:
                return 0
            if job.attempts > MOST_ATTEMPTS:
                services.jobs.fail(job, DIED.format(MOST_ATTEMPTS))
                log.error("a job is given up", job=job.id, kind=job.kind)
                return 1
        while self._go_on(job):
            time.sleep(self.breath)
            if stopping():
                with unit_of_work(self.resources) as services:
                    services.jobs.give_back(job)
                break
        return 1

    def _go_on(self, job: Job) -> bool:
        """One more unit of a job; whether there are others after it."""
        try:
            progress = self._unit(job)
        except _LeaseLost:
            log.warning("a job went to somebody else", job=job.id, kind=job.kind)
            return False
        except OperationalError as error:
            # The database is away or wants the unit again: the lease runs out, the job goes on.
            log.warning("a job waits for the database", job=job.id, error=type(error).__name__)
            return False
        except LeadlineError as error:
            self._fail(job, error.message)
            return False
        except Exception:
            log.exception("a job failed", job=job.id, kind=job.kind)
            self._fail(job, FAULT)
            return False
        if progress.result is None:
            job.done, job.total = progress.done, progress.total
            job.payload = {**job.payload, **progress.place}
            return True
        # Of what runs by the clock the slots tell; a line a minute would hide the others.
        tell = log.debug if job.requested_by == SCHEDULE else log.info
        tell("a job is done", job=job.id, kind=job.kind, result=dict(progress.result))
        return False

    def _unit(self, job: Job) -> Progress:
        task = self.kinds[job.kind]
        if isinstance(task, Prepared):
            task = task.prepare(self.resources, job)
        with unit_of_work(self.resources) as services:
            progress = task(services, job)
            services.store.flush()
            jobs = services.jobs
            if progress.result is None:
                is_ours = jobs.keep(job, progress, self.resources.lease)
            else:
                is_ours = jobs.finish(job, progress)
            if not is_ours:
                raise _LeaseLost
            return progress

    def _fail(self, job: Job, sentence: str) -> None:
        with unit_of_work(self.resources) as services:
            services.jobs.fail(job, sentence)
