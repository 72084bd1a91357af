"""Runner processes made to be killed; `python -m tests.jobs.clocks URL FOLDER HOW_MANY`.

One process loads the program once and forks the runners; who dies has a successor at once. What
time it is they read from a file, so that the test decides when a slot begins or a lease ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import outbox
from config import Settings
from engine.vocabulary import FactKind
from jobs.runner import Clock, JobThread, Runner, Timekeeper
from jobs.schedule import MINUTE, Row
from jobs.tasks import Worker
from lib import logging
from models import Job
from services import Services
from services.job_service import Progress
from services.resources import Resources
from tests.servers.watch import ROOT
from tests.shop import SECRET

ROW = Row("count", "count", MINUTE)
UNITS = 3


class FileClock:
    """A clock that all processes read from one file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def now(self) -> datetime:
        """The moment in the file."""
        return datetime.fromtimestamp(float(self.file.read_text()), UTC)

    def set(self, moment: datetime) -> None:
        """Make it this moment for everybody, at once."""
        draft = self.file.with_suffix(".new")
        draft.write_text(str(moment.timestamp()))
        draft.replace(self.file)


def resources(url: str, folder: Path) -> Resources:
    """What a runner shares."""
    settings = Settings(_env_file=None, DATABASE_URL=url, DATA_DIR=folder, SECRET_KEY=SECRET)
    made = Resources.from_settings(settings, clock=FileClock(folder / "clock"))
    return replace(made, lease=timedelta(seconds=10))


def count(services: Services, job: Job) -> Progress:
    """A job of three units, each of which leaves a fact."""
    at = job.payload.get("at", 0) + 1
    measured = {"slot": job.payload["slot"], "at": at}
    outbox.record(
        services.session, outbox.NewFact(FactKind.SETTINGS_CHANGED, services.now(), measured)
    )
    return Progress(at, UNITS, {"at": at}, {"counted": at} if at == UNITS else None)


@contextlib.contextmanager
def running(url: str, folder: Path, how_many: int) -> Iterator[None]:
    """So many runners, until the block ends."""
    with (folder / "clocks.log").open("wb") as log:
        words = [sys.executable, "-m", "tests.jobs.clocks", url, str(folder), str(how_many)]
        nursery = subprocess.Popen(words, cwd=ROOT, stderr=log, start_new_session=True)
        try:
            yield
        finally:
            # All of its group at once: one that is being born would outlive a list of children.
            os.killpg(nursery.pid, signal.SIGKILL)
            nursery.wait()


def _run(url: str, folder: Path) -> None:
    mine = resources(url, folder)
    timekeeper = Timekeeper(mine, [ROW], leads_for=timedelta(seconds=15))
    worker = Worker(mine, {"count": count})
    parts = (JobThread(mine, worker, pause=0.1), Clock(timekeeper, every=0.1))
    runner = Runner(mine, lambda: parts)
    runner.start()
    threading.Event().wait()


def _fork(url: str, folder: Path) -> int:
    child = os.fork()
    if child == 0:
        _run(url, folder)
    return child


def main(url: str, folder: Path, how_many: int) -> None:
    """Keep so many runners alive until somebody kills them all."""
    # What every child would load for itself.
    import apscheduler.schedulers.background  # noqa: F401

    logging.configure("WARNING")
    alive: set[int] = set()

    while True:
        while len(alive) < how_many:
            alive.add(_fork(url, folder))
        alive.discard(os.wait()[0])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
