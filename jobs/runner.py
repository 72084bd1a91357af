"""Runner: relays, the clock and workers as threads of one process; `python -m jobs.runner`.

Any number of runners may run, on any number of machines, and each may be killed at any moment. All
of them relay and work; the one whose name stands in the lease also tells what the hour has struck.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from logging import WARNING, getLogger
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy.exc import OperationalError

import services
from config import Settings, SettingsError, load_settings
from errors import Unavailable
from jobs.relay import BREATH, RelayThreads
from jobs.schedule import Row, schedule
from jobs.tasks import Worker
from lib import logging
from services import unit_of_work
from services.job_service import LEADS_FOR
from services.resources import Resources

if TYPE_CHECKING:
    from jobs.bell import Part

log = structlog.get_logger("jobs.runner")

LEASE_NAME = "schedule"
# How long it waits before it asks again for a database that is away or not migrated.
PATIENCE = 2.0


class Timekeeper:
    """Turns what the hour has struck into jobs, while it leads."""

    def __init__(
        self,
        resources: Resources,
        rows: Sequence[Row] | None = None,
        *,
        owner: str | None = None,
        leads_for: timedelta = LEADS_FOR,
    ) -> None:
        self.resources = resources
        self.rows = schedule(resources) if rows is None else rows
        self.owner = owner or _own_name()
        self.leads_for = leads_for
        self._leads = False
        # The newest slot of each row that somebody took, so that most ticks ask the lease alone.
        self._taken: dict[str, int] = {}

    def tick(self) -> list[str]:
        """Say that it still leads, or try to; the jobs of the slots that have begun."""
        with unit_of_work(self.resources) as ours:
            fence = ours.jobs.lead(LEASE_NAME, self.owner, self.leads_for)
            if fence is None:
                self._say(False)
                return []
            now = ours.now()
            due = [row for row in self.rows if self._taken.get(row.name) != row.slot(now)]
            begun = [
                ours.jobs.run_slot(
                    row.name,
                    row.slot(now),
                    row.kind,
                    row.payload,
                    owner=self.owner,
                    fence=fence,
                )
                for row in due
            ]
        # Only now is it committed.
        self._say(True)
        self._taken |= {row.name: row.slot(now) for row in due}
        return [job for job in begun if job is not None]

    def resign(self) -> None:
        """Let the next one lead at once."""
        with unit_of_work(self.resources) as ours:
            ours.jobs.resign(LEASE_NAME, self.owner)

    def _say(self, leads: bool) -> None:
        if leads and not self._leads:
            log.info("this runner keeps the clock", owner=self.owner)
        self._leads = leads


class Clock:
    """A timekeeper that APScheduler keeps ticking."""

    def __init__(self, timekeeper: Timekeeper, *, every: float | None = None) -> None:
        self._timekeeper = timekeeper
        # A leader that misses two ticks still leads.
        self._every = every or timekeeper.leads_for.total_seconds() / 3
        self._scheduler: Any = None

    def start(self) -> None:
        """Begin to tick; the first time at once."""
        # Here, for it costs a tenth of a second, which only this thread should wait.
        from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
        from apscheduler.schedulers.background import (  # type: ignore[import-untyped]
            BackgroundScheduler,
        )

        # It would tell of every tick.
        getLogger("apscheduler").setLevel(WARNING)
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)}, timezone="UTC", daemon=True
        )
        self._tick()
        self._scheduler.add_job(
            self._tick, "interval", seconds=self._every, max_instances=1, coalesce=True
        )
        self._scheduler.start()

    def stop(self) -> None:
        """Stop ticking and let the next one lead at once."""
        self._scheduler.shutdown(wait=True)
        try:
            self._timekeeper.resign()
        except OperationalError:
            pass  # The lease runs out by itself.

    def _tick(self) -> None:
        try:
            self._timekeeper.tick()
        except OperationalError as error:
            log.warning("the clock waits for the database", error=type(error).__name__)
        except Exception:
            log.exception("the clock stumbled; it goes on")


class JobThread:
    """A worker as a thread of this process."""

    def __init__(
        self, resources: Resources, worker: Worker | None = None, *, pause: float = 1.0
    ) -> None:
        self.resources = resources
        self.pause = pause
        is_sqlite = resources.engine.dialect.name == "sqlite"
        self._worker = worker or Worker(resources, breath=BREATH if is_sqlite else 0.0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End after the unit that is in hand; the job goes on in another runner."""
        self._stopping.set()
        self.resources.doorbell.ring()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping.is_set():
            heard = self.resources.doorbell.rings
            try:
                found = self._worker.work(self._stopping.is_set)
            except OperationalError as error:
                log.warning("jobs wait for the database", error=type(error).__name__)
                found = 0
            except Exception:
                log.exception("a worker failed; it goes on")
                found = 0
                self._stopping.wait(self.pause)
            if not found:
                self.resources.doorbell.wait(heard, self.pause)


class Runner:
    """All of it, begun once the database can be used."""

    def __init__(self, resources: Resources, make_parts: Callable[[], Sequence[Part]]) -> None:
        self.resources = resources
        self._make_parts = make_parts
        self._parts: Sequence[Part] = ()
        self._stopping = threading.Event()
        self._beginning = threading.Thread(target=self._begin, name="runner", daemon=True)

    def start(self) -> None:
        """Begin, without making the caller wait."""
        self._beginning.start()

    def stop(self, patience: float | None = None) -> None:
        """End after what is in hand, or after so many seconds; what is left, others go on with."""
        self._stopping.set()
        if self._beginning.ident is None:
            return  # It never began.
        self._beginning.join(patience)
        ending = [threading.Thread(target=part.stop, daemon=True) for part in self._parts]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join(patience)

    def _begin(self) -> None:
        said = None
        while not self._stopping.is_set():
            try:
                services.prepare(self.resources)
            except (OperationalError, Unavailable) as error:
                if type(error) is not said:
                    log.warning("the runner waits for the database", error=_sentence(error))
                said = type(error)
                self._stopping.wait(PATIENCE)
            except Exception:
                log.exception("the runner cannot begin; it tries again")
                self._stopping.wait(PATIENCE)
            else:
                self._parts = self._make_parts()
                for part in self._parts:
                    part.start()
                return


def embedded(resources: Resources) -> Runner:
    """The runner of a server that is one process; the caller starts it, and stops it at the end."""
    return Runner(resources, lambda: _parts(resources))


def _parts(resources: Resources) -> Sequence[Part]:
    return (*_workers(resources), Clock(Timekeeper(resources)))


def _workers(resources: Resources) -> Sequence[Part]:
    if not resources.settings.CELERY_BROKER_URL:
        return _own_workers(resources)
    # Here, for Celery is slow to import and most have no broker.
    from jobs.bell import Bell

    return (Bell(resources, lambda: _own_workers(resources)),)


def _own_workers(resources: Resources) -> Sequence[Part]:
    return RelayThreads(resources), JobThread(resources)


def process_resources() -> Resources:
    """What this process shares, as its environment says, and its log."""
    settings = load_settings()
    configure_log(settings)
    for name, problem in settings.channels_off.items():
        log.warning("a channel is switched off", setting=name, reason=problem)
    return Resources.from_settings(settings)


def configure_log(settings: Settings) -> None:
    """Log as the server does."""
    level = "DEBUG" if settings.DEBUG else settings.LOG_LEVEL
    try:
        logging.configure(level, settings.LOG_FILE or None, json=not settings.is_development)
    except OSError as error:
        raise SettingsError(f"LOG_FILE cannot be written ({error.strerror}).") from None


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    try:
        resources = process_resources()
    except SettingsError as error:
        print(error.message.replace("; ", "\n"), file=sys.stderr)
        sys.exit(2)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    runner = Runner(resources, lambda: _parts(resources))
    runner.start()
    log.info("the runner runs")
    over.wait()
    runner.stop()
    log.info("the runner stopped")


def _own_name() -> str:
    """Who leads, for people who read the lease: the machine, and the process in this life."""
    return f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(4)}"


def _sentence(error: Exception) -> str:
    return error.message if isinstance(error, Unavailable) else type(error).__name__


if __name__ == "__main__":
    # Who imports this module shall find what runs, not load it a second time.
    sys.modules["jobs.runner"] = sys.modules["__main__"]
    main()
