"""`python -m tests.bench`: the table of how fast an answer is, beside what it could be.

Everything is measured in turns, in one run, so that the ratios hold on a machine that others use
too. `--open-loop` sends 400 steps a second by the clock, `--growth N` fills the database up to N
leads and measures again, `--start` times the start and weighs a worker, `--alerts` measures what
alerts cost, `--assignment` what experiments cost the start of a conversation, `--console` times the
console's pages, `--indexes` weighs what an answer pays for them; without any of these the table
comes first and the alerts after it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lib import logging
from tests.bench import stage
from tests.bench.alerts import figures
from tests.bench.assignment import assignment
from tests.bench.console import pages
from tests.bench.indexes import costs
from tests.bench.imports import imports
from tests.bench.load import Measured, closed_loop, open_loop, request
from tests.bench.stage import ANSWERS, Served, answers, cpu_seconds, postmaster, start_sessions
from tests.servers.postgres import PostgresServer, binaries

CLIENTS = 16
BODY = {"session_id": "sess_" + "x" * 32, "question_id": 1, "answer_text": "Retail Store"}
# The least SQL that keeps an answer and a score: lock, two inserts, one update, commit.
MINIMAL_SQL = """
\\set n random(1, 100000)
BEGIN;
SELECT answered FROM minimal_session WHERE id = :n FOR UPDATE;
INSERT INTO minimal_answer (session_id, question_id, answer_text) VALUES (:n, 1, 'Retail Store');
INSERT INTO minimal_point (session_id, rule, points) VALUES (:n, 'answered', 5);
UPDATE minimal_session SET answered = answered + 1, score = score + 5 WHERE id = :n;
COMMIT;
"""
MINIMAL_TABLES = """
CREATE TABLE minimal_session (id int primary key, answered int not null, score int not null);
CREATE TABLE minimal_answer (id bigserial primary key, session_id int, question_id int,
  answer_text text, at timestamptz default now());
CREATE TABLE minimal_point (id bigserial primary key, session_id int, rule text, points int);
INSERT INTO minimal_session SELECT n, 0, 0 FROM generate_series(1, 100000) AS n;
"""


@dataclass
class Row:
    """One line of the table: what was measured in each round."""

    name: str
    rate: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, measured: Measured, cpu: float) -> None:
        """One more round; a request that failed makes the whole measurement worthless."""
        if measured.failed:
            raise SystemExit(f"{self.name}: replies that were no success: {measured.failed}")
        self.rate.append(measured.rate)
        self.p50.append(measured.percentile(0.5))
        self.p99.append(measured.percentile(0.99))
        self.cpu.append(1000 * cpu / len(measured.seconds))

    def line(self, base: float) -> str:
        """The medians, and the rate as a share of another's."""
        middle = [statistics.median(column) for column in (self.rate, self.p50, self.p99)]
        cpu = f"{statistics.median(self.cpu):8.2f}" if self.cpu else "       –"
        return (
            f"| {self.name:42} | {middle[0]:8.0f} | {middle[1]:8.1f} | {middle[2]:8.1f} | {cpu} |"
            f" {100 * middle[0] / base:5.0f} % |"
        )


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--open-loop", action="store_true")
    parser.add_argument("--growth", type=int, metavar="LEADS")
    parser.add_argument("--start", action="store_true")
    parser.add_argument("--alerts", action="store_true")
    parser.add_argument("--assignment", action="store_true")
    parser.add_argument("--console", nargs="?", type=int, const=100_000, metavar="LEADS")
    parser.add_argument("--indexes", action="store_true")
    parser.add_argument("--imports", nargs="?", type=int, const=200_000, metavar="ROWS")
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--talks", type=int, default=60)
    chosen = parser.parse_args()
    logging.configure("ERROR")
    if chosen.start:
        start_up()
    elif chosen.console:
        pages(chosen.console, _fill)
    elif chosen.assignment:
        assignment(chosen.rounds, chosen.seconds)
    elif chosen.indexes:
        costs(_ours, chosen.rounds, chosen.seconds)
    elif chosen.imports:
        imports(chosen.imports)
    elif chosen.growth:
        growth(chosen.growth, chosen.seconds)
    elif chosen.open_loop:
        by_the_clock(chosen.seconds)
    elif chosen.alerts:
        alerts(chosen)
    else:
        table(chosen.rounds, chosen.seconds)
        print()
        alerts(chosen)


def alerts(chosen: argparse.Namespace) -> None:
    """What alerts cost, with half the seconds of the table's rounds and twice the rounds."""
    figures(
        rounds=2 * chosen.rounds,
        seconds=chosen.seconds / 2,
        messages=chosen.messages,
        talks=chosen.talks,
    )


def table(rounds: int, seconds: float) -> None:
    """The four contestants in turns."""
    rows = [
        Row("Leadline, one answer (/api/answer)"),
        Row("(a) bare Flask, no database"),
        Row("(b) minimal SQL by pgbench"),
        Row("(c) bare Flask, one raw insert and commit"),
    ]
    with stage.database() as (server, url):
        _minimal_tables(server)
        with (
            stage.gunicorn("main:app", url) as ours,
            stage.gunicorn("tests.bench.bare:app", url) as bare,
        ):
            for number in range(rounds + 1):
                measured = [
                    _ours(ours, server, seconds),
                    _bare(bare, server, "/hello", seconds),
                    _pgbench(server, seconds),
                    _bare(bare, server, "/insert", seconds),
                ]
                if number:  # The first round warms caches and is not counted.
                    for row, (seen, cpu) in zip(rows, measured, strict=True):
                        row.add(seen, cpu)
    base = statistics.median(rows[3].rate)
    where = f"PostgreSQL with fsync on, {os.cpu_count()} cores"
    print(f"{CLIENTS} clients, 2 workers x 8 threads, {where},")
    print(f"medians of {rounds} alternated rounds of {seconds:g} s\n")
    print(f"| {'':42} |  steps/s |   p50 ms |   p99 ms | CPU ms/step | of (c) |")
    print(f"|{'-' * 44}|---------:|---------:|---------:|---------:|-------:|")
    for row in rows:
        print(row.line(base))


def by_the_clock(seconds: float, rate: float = 400) -> None:
    """400 steps a second whatever the server does; a late reply counts from when it was due."""
    with stage.database() as (_, url), stage.gunicorn("main:app", url) as ours:
        closed_loop(ours.port, _works(start_sessions(ours.port, 160)), 30)
        sessions = start_sessions(ours.port, int(rate * seconds / len(ANSWERS)) + 64)
        measured = open_loop(ours.port, _works(sessions, 64), seconds, rate)
    print(f"open loop, {rate:g} steps/s for {seconds:g} s, waiting counted from the due moment:")
    print(
        f"p50 {measured.percentile(0.5):.1f} ms, p99 {measured.percentile(0.99):.1f} ms,"
        f" failed {sum(measured.failed.values())} of {len(measured.seconds)}"
    )


def growth(leads: int, seconds: float) -> None:
    """The cost of a step with 1,000 leads and with many more."""
    with stage.database() as (server, url):
        filled = 0
        for target in (1000, leads):
            _fill(server, filled, target)
            filled = target
            with stage.gunicorn("main:app", url) as ours:
                closed_loop(ours.port, _works(start_sessions(ours.port, 320)), 30)
                row = Row(f"{target:,} leads")
                for _ in range(3):
                    row.add(*_ours(ours, server, seconds))
                print(row.line(statistics.median(row.rate)))


def start_up() -> None:
    """Seconds from the command to the first healthy reply, and what a chatting worker weighs."""
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/leadline.db"
        for _ in range(5):
            began = time.perf_counter()
            with stage.gunicorn("main:app", url):
                taken.append(time.perf_counter() - began)
        with stage.gunicorn("main:app", url) as ours:
            sessions = start_sessions(ours.port, 64)
            closed_loop(ours.port, _works(sessions), 30)
            workers = subprocess.run(
                ["pgrep", "-P", str(ours.process.pid)], capture_output=True, text=True, check=True
            ).stdout.split()
            weights = [_resident(int(pid)) for pid in workers]
    print(f"start to healthy: median {statistics.median(taken):.2f} s of {len(taken)}")
    print(f"resident memory of a worker that serves chats: {max(weights):.0f} MiB")


def _ours(served: Served, server: PostgresServer, seconds: float) -> tuple[Measured, float]:
    """Answers to fresh sessions, as many as fit into the time."""
    sessions = start_sessions(served.port, max(CLIENTS, int(seconds * 1500 / len(ANSWERS))))
    return _measured(served, server, _works(sessions), seconds)


def _bare(
    served: Served, server: PostgresServer, path: str, seconds: float
) -> tuple[Measured, float]:
    one = request("POST", path, json.dumps(BODY).encode())
    works: list[Iterator[bytes]] = [iter([one] * 200_000) for _ in range(CLIENTS)]
    return _measured(served, server, works, seconds)


def _measured(
    served: Served, server: PostgresServer, works: list[Iterator[bytes]], seconds: float
) -> tuple[Measured, float]:
    """What a load saw, and the processor time that application and database spent on it."""
    processes = (served.process.pid, postmaster(server))
    before = cpu_seconds(*processes)
    measured = closed_loop(served.port, works, seconds)
    return measured, cpu_seconds(*processes) - before


def _pgbench(server: PostgresServer, seconds: float) -> tuple[Measured, float]:
    """The minimal SQL from a program in C: what the database alone can do."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(MINIMAL_SQL)
        script.flush()
        before = cpu_seconds(postmaster(server))
        said = subprocess.run(
            [
                str(binaries() / "pgbench"),
                *("-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2"),
                *("-T", str(max(1, int(seconds))), "-f", script.name, "-l"),
                *("-h", "127.0.0.1", "-p", str(server.port), "-U", "app", "bench"),
            ],
            capture_output=True,
            text=True,
            check=True,
            cwd=(folder := tempfile.mkdtemp()),
        )
        spent = cpu_seconds(postmaster(server)) - before
    measured = Measured()
    for log in Path(folder).glob("pgbench_log*"):
        for line in log.read_text().splitlines():
            measured.seconds.append(int(line.split()[2]) / 1e6)
        log.unlink()
    Path(folder).rmdir()
    rate = next(line for line in said.stdout.splitlines() if line.startswith("tps"))
    measured.wall = len(measured.seconds) / float(rate.split()[2])
    return measured, spent


def _minimal_tables(server: PostgresServer) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(server.url("bench"))
    with engine.begin() as connection:
        connection.execute(text(MINIMAL_TABLES))
    engine.dispose()


def _fill(server: PostgresServer, have: int, want: int) -> None:
    """Leads with a finished conversation each, copied from one that was really held."""
    from sqlalchemy import create_engine, text

    sql = (Path(__file__).parent / "fill.sql").read_text()
    engine = create_engine(server.url("bench"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if have == 0:
            with stage.gunicorn("main:app", server.url("bench")) as ours:
                closed_loop(ours.port, [answers(start_sessions(ours.port, 16)[:1])], 30)
        for first in range(have, want, 50_000):
            last = min(first + 50_000, want)
            for statement in sql.split(";\n"):
                if statement.strip():
                    connection.execute(text(statement), {"first": first, "last": last})
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _works(sessions: list[str], clients: int = CLIENTS) -> list[Iterator[bytes]]:
    return [answers(sessions[number::clients]) for number in range(clients)]


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    sys.exit(main())
