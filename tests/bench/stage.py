"""The servers of a measurement: a durable PostgreSQL, and gunicorn in front of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text

from database import make_engine, migrate
from tests.bench.load import closed_loop, request
from tests.servers import postgres
from tests.servers.watch import free_port

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = (
    (1, "Retail Store"),
    (2, "Mumbai"),
    (3, "2–5"),
    (4, "₹50K–₹2L"),
    (5, ["Billing", "QR Payments"]),
)
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Served:
    """A gunicorn that answers on a port."""

    port: int
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def database(name: str = "bench") -> Iterator[tuple[postgres.PostgresServer, str]]:
    """A durable PostgreSQL with one migrated database and the bare table."""
    server = postgres.start(owner=os.getpid(), durable=True)
    try:
        engine = create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        ours = make_engine(server.url(name))
        migrate(ours)
        with ours.begin() as connection:
            connection.execute(
                text(
                    "CREATE TABLE bare (id bigserial primary key, session_id text,"
                    " question_id int, answer_text text, at timestamptz default now())"
                )
            )
        ours.dispose()
        yield server, server.url(name)
    finally:
        postgres.stop(server.folder)


@contextlib.contextmanager
def gunicorn(application: str, url: str, **environment: str) -> Iterator[Served]:
    """The application under gunicorn, 2 workers of 8 threads, until the block ends."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", application, "-b", f"127.0.0.1:{port}"],
            cwd=ROOT,
            env={
                **os.environ,
                "DATABASE_URL": url,
                "BARE_DATABASE": url.replace("+psycopg2", ""),
                "DATA_DIR": folder,
                "RATE_LIMIT_PER_MINUTE": "100000000",
                "LOG_LEVEL": "WARNING",
                **environment,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            _wait(port, process)
            yield Served(port, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError((process.stderr.read() if process.stderr else b"").decode()[-3000:])
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).read()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("gunicorn did not answer")


def start_sessions(port: int, count: int, clients: int = 16) -> list[str]:
    """The ids of that many new conversations."""
    ids: list[str] = []

    def seen(reply: bytes) -> None:
        ids.append(json.loads(reply.partition(b"\r\n\r\n")[2])["session_id"])

    one = request("POST", "/api/session/start", b"{}")
    each = [iter([one] * (count // clients + 1)) for _ in range(clients)]
    closed_loop(port, each, 3600, seen)
    return ids[:count]


def answers(sessions: list[str], *, keys: bool = True) -> Iterator[bytes]:
    """The five answers of each session, one request each, with the key that a widget sends."""
    for session_id in sessions:
        for question_id, answer in ANSWERS:
            body = {"session_id": session_id, "question_id": question_id, "answer_text": answer}
            plain = request("POST", "/api/answer", json.dumps(body).encode())
            if keys:
                key = f"Idempotency-Key: {session_id}-{question_id}\r\n".encode()
                head, _, rest = plain.partition(b"\r\n")
                plain = head + b"\r\n" + key + rest
            yield plain


def postmaster(server: postgres.PostgresServer) -> int:
    """The process that all of a database server's descend from."""
    return int((server.folder / "data" / "postmaster.pid").read_text().split()[0])


def cpu_seconds(*roots: int) -> float:
    """The processor time that these processes and their children have used so far."""
    parents, spent = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.name)] = int(fields[1])
        spent[int(entry.name)] = sum(int(ticks) for ticks in fields[11:15])
    return sum(spent[pid] for pid in spent if _descends(pid, roots, parents)) / TICKS


def _descends(pid: int, roots: tuple[int, ...], parents: dict[int, int]) -> bool:
    while pid in parents:
        if pid in roots:
            return True
        pid = parents[pid]
    return False
