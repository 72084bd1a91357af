"""How fast a file of leads comes in: rows a second, the longest unit, what the worker weighs."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import IO, Any, cast

from sqlalchemy import text

from database import make_engine, migrate
from jobs.relay import BREATH
from jobs.tasks import Worker
from lib.clock import SystemClock
from lib.packed_file import pack
from models import Job
from services.job_service import Progress
from tests.bench import stage
from tests.bench.stage import ROOT
from tests.shop import Shop, shop

HEADER = "name,email,phone,company,business_type,location,staff_size,source,created_at,outcome"
MORE = ",budget,remark\n"
FIRST = ("Ann", "Ben", "Charlotte", "Dinesh", "Edith", "Farid", "Greta", "Hiroshi", "Ines", "João")
PLACES = ("Mumbai", "Berlin", "São Paulo", "Lagos", "Pune", "Leeds", "Oslo")
# Of four people two have an address that millions have, and two one of their company.
HOUSES = ("gmail.com", "", "outlook.com", "")
ONE_BAD_OF = 100


def imports(rows: int) -> None:
    """A file of that many leads, one row in a hundred bad, into an empty database of each kind."""
    with stage.database("imports") as (server, url):
        postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
        print(_told("PostgreSQL", rows, _measured(url, rows, postmaster)))
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/leadline.db"
        engine = make_engine(url)
        migrate(engine)
        engine.dispose()
        print(_told("SQLite", rows, _measured(url, rows)))


def _told(name: str, rows: int, seen: dict[str, Any]) -> str:
    return (
        f"{name}: {rows:,} rows in {seen['seconds']:.1f} s, {rows / seen['seconds']:,.0f} rows/s;"
        f" of it {seen['working']:.1f} s in units, {seen['cpu']:.1f} s CPU of the worker"
        f" and {seen['database']:.1f} s of the server;"
        f" units {seen['units']:,}, median {seen['median']:.0f} ms, p99 {seen['p99']:.0f} ms,"
        f" longest {seen['longest']:.0f} ms; the worker weighed {seen['before']:.0f} MiB before"
        f" and {seen['peak']:.0f} MiB at most; {json.dumps(seen['result'])}"
    )


def _measured(url: str, rows: int, *servers: int) -> dict[str, Any]:
    """What a worker of its own saw, a process that did nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        with _office(url, folder) as office, office.unit() as services:
            file = pack(cast(IO[bytes], _Table(rows)))
            job = services.imports.begin(file, actor="bench")["job_id"]
            file.close()
        before = stage.cpu_seconds(*servers)
        words = [sys.executable, "-m", "tests.bench.imports", url, folder, job]
        said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        spent = stage.cpu_seconds(*servers) - before
    if said.returncode:
        raise SystemExit(said.stderr[-3000:])
    seen: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return {**seen, "database": spent}


def _office(url: str, folder: str) -> Any:
    return shop(url, Path(folder), clock=SystemClock())


class _Table(io.RawIOBase):
    """The file as it comes in, made while it is read."""

    def __init__(self, rows: int) -> None:
        self._lines = _lines(rows)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        while len(self._rest) < size and (line := next(self._lines, None)) is not None:
            self._rest += line
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def _lines(rows: int) -> Iterator[bytes]:
    yield (HEADER + MORE).encode()
    for number in range(rows):
        first, place = FIRST[number % len(FIRST)], PLACES[number % len(PLACES)]
        house = HOUSES[number % len(HOUSES)] or f"firm{number % 5000}.co.in"
        address = f"{first.lower()}.{number}@{house}"
        if number % ONE_BAD_OF == 7:
            address = "nobody at all"
        day = date(2024, 1, 1) + timedelta(days=number % 700)
        sold = ("won", "lost", "", "")[number % 4]
        yield (
            f"{first} Miller {number},{address},+91 98{number % 100_000_000:08},"
            f"Firm {number % 5000} & Co,Retail Store,{place},2–5,fair,{day},{sold},"
            f"{number % 997},met at stand {number % 50}\n"
        ).encode()


class _Timed(Worker):
    """A worker that notes how long each of its units took."""

    took: list[float] = []

    def _unit(self, job: Job) -> Progress:
        began = time.perf_counter()
        progress = super()._unit(job)
        self.took.append(time.perf_counter() - began)
        return progress


def work(url: str, folder: str, job: str) -> None:
    """The job to its end, and what it took, as JSON."""
    with _office(url, folder) as office:
        _warm(office)
        breath = BREATH if url.startswith("sqlite") else 0.0
        worker, before = _Timed(office.resources, breath=breath), _peak()
        began, used = time.perf_counter(), time.process_time()
        worker.work()
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        with office.unit() as services:
            result = services.jobs.get(job)
    took = sorted(worker.took)
    seen = {
        "seconds": seconds,
        "working": sum(took),
        "cpu": cpu,
        "units": len(took),
        "median": 1000 * took[len(took) // 2],
        "p99": 1000 * took[int(0.99 * len(took))],
        "longest": 1000 * took[-1],
        "before": before,
        "peak": _peak(),
        "result": result["result"] or result["error"],
    }
    print(json.dumps(seen))


def _warm(office: Shop) -> None:
    """The first statement of a process opens a connection and looks at the tables."""
    with office.unit() as services:
        services.session.execute(text("SELECT 1"))


def _peak() -> float:
    """The most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if os.environ.get("PROFILE"):
        import cProfile

        cProfile.run("work(*sys.argv[1:])", os.environ["PROFILE"], sort="tottime")
    else:
        work(*sys.argv[1:])
