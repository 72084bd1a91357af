"""Celery: the runner's work on workers of a broker; `celery -A jobs.celery_app worker`.

Tried with a Redis-compatible broker. RabbitMQ is spoken to by the same library, and was not tried.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from logging import WARNING, getLogger
from typing import Any

from celery import Celery, signals  # type: ignore[import-untyped]

from config import ROOT, load_settings
from jobs.bell import DELIVERIES, FACTS, JOBS, make_app
from jobs.relay import Relay
from jobs.runner import configure_log, process_resources
from jobs.tasks import Worker
from services.resources import Resources

# The celery command has the folder it is called in on the path only while it loads this module,
# and takes it off again: what a job imports when it runs, such as all of ml, would not be found.
sys.path.append(str(ROOT))

# A worker goes on for so long before it lets another message have its turn (seconds).
ONE_TURN = 20.0


@functools.cache
def _resources() -> Resources:
    """What this worker process shares; after the fork, for a connection must not be inherited."""
    return process_resources()


def _relay_facts() -> None:
    _keep_on(Relay(_resources()).fan_out)


def _relay_deliveries() -> None:
    _keep_on(Relay(_resources()).send)


def _run_jobs() -> None:
    _keep_on(Worker(_resources()).work)


def _keep_on(work: Callable[[], int]) -> None:
    until = time.monotonic() + ONE_TURN
    while work() and time.monotonic() < until:
        pass


@signals.setup_logging.connect
def _log_as_the_server_does(**_: Any) -> None:
    configure_log(load_settings())
    # They would tell of every ring.
    for name in ("celery.worker.strategy", "celery.app.trace"):
        getLogger(name).setLevel(WARNING)


def __getattr__(name: str) -> Any:
    """`app`, for the celery command, built when it is first asked for."""
    if name == "app":
        return _process_app()
    raise AttributeError(f"module 'jobs.celery_app' has no attribute {name!r}")


@functools.cache
def _process_app() -> Celery:
    settings = load_settings()
    made = make_app(settings.CELERY_BROKER_URL, settings.CELERY_RESULT_BACKEND)
    made.task(name=FACTS)(_relay_facts)
    made.task(name=DELIVERIES)(_relay_deliveries)
    made.task(name=JOBS)(_run_jobs)
    return made
