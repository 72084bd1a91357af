"""Bell: rings Celery workers over a broker while anything waits; the tables stay the truth.

A message says no more than "there is something to do". Losing one costs a second, for the runner
rings again while anything waits; getting one twice costs nothing, for the second finds no work. So
no result is kept and no broker has to be durable.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from celery import Celery  # type: ignore[import-untyped]
from kombu.exceptions import OperationalError as BrokerAway

from services import unit_of_work
from services.resources import Resources

log = structlog.get_logger(__name__)

FACTS, DELIVERIES, JOBS = "relay.facts", "relay.deliveries", "jobs.run"
# What nobody has heard by then is rung again anyway (seconds).
EXPIRES = 10.0
# What has waited for so long (seconds) shows that nobody hears the bell.
LATE = 30.0
# How often a runner that stands in asks whether it still has to (seconds).
ASKS_EVERY = 5.0
# At most so many messages a ring, for as many workers at a time.
MOST_SENDERS, MOST_WORKERS = 4, 2


class Part(Protocol):
    """What a runner starts and stops."""

    def start(self) -> None:
        """Begin to work."""

    def stop(self) -> None:
        """End after what is in hand."""


def make_app(broker: str, results: str | None = None) -> Celery:
    """The Celery application of a broker; opens no connection."""
    for name, value in (("CELERY_BROKER_URL", broker), ("CELERY_RESULT_BACKEND", results or "")):
        if name in os.environ:
            # Celery believes the variable before us, and takes a trailing comment for the address.
            os.environ[name] = value
    made = Celery("leadline", broker=broker)
    made.conf.update(
        result_backend=results or None,
        task_ignore_result=True,
        task_acks_late=True,
        task_default_queue="leadline",
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        broker_transport_options={"socket_connect_timeout": 2, "socket_timeout": 5},
        timezone="UTC",
    )
    return made


class Bell:
    """Rings while anything waits; where nobody hears it, the runner does the work itself."""

    def __init__(
        self,
        resources: Resources,
        stand_ins: Callable[[], Sequence[Part]],
        *,
        pause: float = 1.0,
    ) -> None:
        self.resources = resources
        self.pause = pause
        self._app = make_app(resources.settings.CELERY_BROKER_URL)
        self._make_stand_ins = stand_ins
        self._standing_in: Sequence[Part] = ()
        self._asks_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="bell", daemon=True)

    def start(self) -> None:
        """Begin to ring."""
        self._thread.start()

    def stop(self) -> None:
        """Ring no more; what a stand-in has in hand ends."""
        self._stopping.set()
        self.resources.doorbell.ring()
        self._thread.join()
        self._stand_down()

    def ring(self) -> bool:
        """Ring for what waits; whether it was heard in time so far."""
        with unit_of_work(self.resources, read_only=True) as services:
            queue, jobs = services.deliveries.queue(), services.jobs.waiting()
        facts, deliveries = queue["facts_waiting"], queue["deliveries_waiting"]
        wanted = {
            FACTS: min(facts, 1),
            DELIVERIES: min(deliveries, MOST_SENDERS),
            JOBS: min(jobs, MOST_WORKERS),
        }
        try:
            for task, times in wanted.items():
                for _ in range(times):
                    self._app.send_task(task, expires=EXPIRES, retry=False)
        except BrokerAway:
            return False
        return max(queue["oldest_delivery_seconds"], queue["oldest_fact_seconds"]) < LATE

    def _work(self) -> None:
        while not self._stopping.is_set():
            heard = self.resources.doorbell.rings
            try:
                self._once()
            except Exception:
                log.exception("the bell failed; it rings again")
            # Answers would ring it far more often than workers can come.
            self._stopping.wait(self.pause / 4)
            self.resources.doorbell.wait(heard, self.pause)

    def _once(self) -> None:
        if not self._standing_in:
            if not self.ring():
                self._stand_in()
        elif self._is_anybody_there():
            log.info("workers hear the broker again")
            self._stand_down()

    def _is_anybody_there(self) -> bool:
        """Whether a worker answers; asked now and then while the runner does their work."""
        if time.monotonic() < self._asks_at:
            return False
        self._asks_at = time.monotonic() + ASKS_EVERY
        try:
            return bool(self._app.control.ping(timeout=1.0, limit=1))
        except (BrokerAway, OSError):
            return False

    def _stand_in(self) -> None:
        log.warning("no worker hears the broker; the runner works itself")
        self._standing_in = self._make_stand_ins()
        for part in self._standing_in:
            part.start()

    def _stand_down(self) -> None:
        for part in self._standing_in:
            part.stop()
        self._standing_in = ()
