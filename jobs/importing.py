"""Importing: the rows of a file, read while the database still writes those before them.

Nobody waits for a reading: no transaction is open that others would have to wait for. What was read
ahead is kept in this process only, and read again by whoever goes on after it was killed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from models import Job
from services import Services, unit_of_work
from services.import_reading import Rows
from services.import_service import READ
from services.job_service import Progress
from services.resources import Resources


class Importing:
    """Prepares each unit of an import: has its rows read, mostly while the unit before wrote."""

    def __init__(self) -> None:
        # Of each thread that runs jobs, the job and the rows that it has read ahead.
        self._ahead = threading.local()

    def prepare(self, resources: Resources, job: Job) -> Callable[[Services, Job], Progress]:
        """What writes the next unit; its rows are read by now."""
        if job.payload.get("phase", READ) != READ:
            return lambda services, job: services.imports.step(job)
        rows = self._taken(job) or _read(resources, job, dict(job.payload))

        def write(services: Services, job: Job) -> Progress:
            if rows is None or rows.is_end or resources.settings.is_embedded:
                return services.imports.step(job, rows)
            return services.imports.step(job, rows, self._reading_on(resources, job, rows))

        return write

    def _taken(self, job: Job) -> Rows | None:
        """The rows that were read ahead, if they are the next ones; kept no longer."""
        job_id, rows = getattr(self._ahead, "rows", (None, None))
        self._ahead.rows = (None, None)
        return rows if rows and job_id == job.id and rows.follow(job.payload) else None

    @contextmanager
    def _reading_on(self, resources: Resources, job: Job, rows: Rows) -> Iterator[None]:
        """Meanwhile, in a thread that ends with the block, the rows after these are read.

        The driver leaves Python to others while it waits for the server.
        """
        with ThreadPoolExecutor(1) as pool:
            ahead: Future[Rows | None] = pool.submit(_read, resources, job, rows.place)
            yield
        if ahead.exception() is None:
            self._ahead.rows = (job.id, ahead.result())


def _read(resources: Resources, job: Job, place: dict[str, int]) -> Rows | None:
    with unit_of_work(resources, read_only=True) as services:
        return services.import_reading.next_rows(job.payload["import"], place)
