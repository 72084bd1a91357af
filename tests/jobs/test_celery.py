"""Real Celery workers over a real broker do what the runner would, which can do without them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lib.clock import SystemClock
from tests.integrations.conftest import Answering
from tests.jobs.conftest import Desk
from tests.jobs.test_runner import until
from tests.servers.watch import ROOT
from tests.shop import SECRET, shop

RUNNER = ("-m", "jobs.runner")
# The second imports what nothing else of a worker needs.
JOBS = ("leads/refresh", "models/train")
# As the operator starts it, but for the size of its pool: the command, not `-m celery`, which
# would leave the folder on the path.
COMMAND = str(Path(sys.executable).with_name("celery"))
WORKER = (COMMAND, "-A", "jobs.celery_app", "worker", "--concurrency", "1", "--uid", "0")


@pytest.fixture
def desk(database_url: str, tmp_path: Path, answering: Answering) -> Iterator[Desk]:
    """A shop of the present day, for other processes work on it."""
    networks = ("127.0.0.0/8",)
    with shop(
        database_url, tmp_path, clock=SystemClock(), OUTBOUND_ALLOWED_NETWORKS=networks
    ) as made:
        yield Desk(made, answering)


@contextlib.contextmanager
def process(words: Sequence[str], url: str, folder: Path, broker: str) -> Iterator[Path]:
    """A process of ours, and the file of its log; it ends with SIGTERM, in peace."""
    log = folder / f"{words[-1]}.log"
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "DATA_DIR": str(folder),
        "SECRET_KEY": SECRET,
        "CELERY_BROKER_URL": f"{broker} # ours",
        "OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    with log.open("wb") as file:
        one = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, env=environment, stdout=file, stderr=file
        )
    try:
        yield log
    finally:
        one.terminate()
        assert one.wait(60) == 0, log.read_text()


def status(desk: Desk, job: str) -> str:
    """How far a job is, as its own transaction sees it."""
    with desk.shop.unit() as services:
        return str(services.jobs.get(job)["status"])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_workers_deliver_and_run_jobs_for_a_broker(
    desk: Desk, database_url: str, tmp_path: Path, redis_url: str
) -> None:
    # Not the one in which other tests count.
    broker = redis_url.removesuffix("/0") + "/7"
    desk.add(triggers=["demo_requested"])
    with (
        process(WORKER, database_url, tmp_path, broker) as worker,
        process(RUNNER, database_url, tmp_path, broker) as runner,
    ):
        desk.demo(desk.shop.start()["session_id"])
        jobs = [desk.post(f"/api/{one}", status=202)["job_id"] for one in JOBS]
        until(desk.heard)
        for job in jobs:
            until(lambda job=job: status(desk, job) in ("done", "failed"))
            assert status(desk, job) == "done", worker.read_text()
        until(lambda: "delivery settled" in worker.read_text())
        until(lambda: "a job is done" in worker.read_text())
        said = runner.read_text()
        assert "/7%20" not in worker.read_text()

    assert len(desk.heard()) == 1
    assert "delivery settled" not in said and "works itself" not in said


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_runner_whose_broker_is_away_works_itself(
    desk: Desk, database_url: str, tmp_path: Path
) -> None:
    desk.add(triggers=["demo_requested"])
    desk.demo(desk.shop.start()["session_id"])

    with process(RUNNER, database_url, tmp_path, "redis://127.0.0.1:1/0") as runner:
        until(desk.heard)
        said = until(lambda: "works itself" in runner.read_text() and runner.read_text())

    assert len(desk.heard()) == 1
    assert "no worker hears the broker" in said
