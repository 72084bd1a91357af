"""What alerts cost: the visitor's request, deliveries a second, time from answer to alert."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, func, select, text

from jobs.relay import Relay
from lib.clock import SystemClock
from models import PendingFact
from services.destination_service import Who
from tests.bench import stage
from tests.bench.load import Measured, closed_loop
from tests.bench.receiver import Receiver, Took, receiving
from tests.bench.stage import ANSWERS, ROOT, answers, start_sessions
from tests.crash.stage import ONE_PROCESS, Server, serving
from tests.servers.postgres import PostgresServer
from tests.shop import SECRET, Shop, shop

CLIENTS = 16
DESTINATIONS = 5
LOOPBACK = "127.0.0.0/8"
ALLOWED = {"OUTBOUND_ALLOWED_NETWORKS": LOOPBACK, "SECRET_KEY": SECRET}
# A visitor reads a question before the answer comes, so that each one finds the program at rest.
READING = 0.25


def figures(*, rounds: int, seconds: float, messages: int, talks: int) -> None:
    """All three, each as a few lines."""
    with receiving() as receiver:
        with stage.database("without") as (server, url):
            enqueueing(server, url, receiver, rounds=rounds, seconds=seconds)
        print()
        throughput(receiver, messages)
        print()
        from_answer_to_alert(receiver, talks)


def enqueueing(
    server: PostgresServer, url: str, receiver: Receiver, *, rounds: int, seconds: float
) -> None:
    """The rate of answers with five destinations, over that without, in pairs of rounds."""
    _execute(server, "CREATE DATABASE five TEMPLATE without")
    with _office(server.url("five")) as office:
        _subscribe(office, receiver)
    rates: dict[str, list[float]] = {"without": [], "five": []}
    with (
        stage.gunicorn("main:app", url) as one,
        stage.gunicorn("main:app", server.url("five"), **ALLOWED) as other,
    ):
        for number in range(rounds + 1):
            both = [("without", one), ("five", other)]
            for name, served in both if number % 2 else reversed(both):
                measured = _load(served.port, seconds)
                if number:  # The first round warms caches and is not counted.
                    rates[name].append(measured.rate)
    ratios = [five / none for none, five in zip(rates["without"], rates["five"], strict=True)]
    print(f"/api/answer, {CLIENTS} clients, PostgreSQL, {rounds} pairs of {seconds:g} s:")
    for name, label in (("without", "no destination"), ("five", "five destinations")):
        print(f"  {label}: {statistics.median(rates[name]):.0f} answers/s")
    print(
        f"  five over none: median {statistics.median(ratios):.3f}"
        f" ({min(ratios):.3f} to {max(ratios):.3f})"
    )


def throughput(receiver: Receiver, messages: int) -> None:
    """Deliveries a second with one worker process and with four, beside bare loops."""
    print(f"{messages} messages to one receiver on the loopback, PostgreSQL:")
    for processes in (1, 4):
        print(f"  requests.post, {processes} x bare: {_bare(receiver, processes, messages):.0f}/s")
    with stage.database("sending") as (_, url):
        for processes in (1, 4):
            facts = _wait_for_delivery(receiver, url, processes, messages)
            print(f"  jobs.runner, {processes} processes: {_rate(receiver.notes()):.0f}/s", end="")
            print(f" (facts fanned out before: {facts:.0f}/s by one)")


def from_answer_to_alert(receiver: Receiver, talks: int) -> None:
    """Milliseconds from the last answer's leaving to its alert's arrival, `python main.py`."""
    os.environ.update(ALLOWED)
    receiver.forget()
    with serving(ONE_PROCESS, "") as server:
        _hear_of_completed(server, receiver)
        sent = dict(_talk(server, number) for number in range(talks))
        _wait_for(receiver, talks)
    arrived = {took.session_id: took.at for took in receiver.notes()}
    waited = sorted(1000 * (arrived[session] - at) for session, at in sent.items())
    print(f"python main.py on SQLite, one webhook, {talks} conversations:")
    print(
        f"  from answer to alert: median {statistics.median(waited):.0f} ms,"
        f" p99 {waited[min(len(waited) - 1, int(0.99 * len(waited)))]:.0f} ms"
    )


# The visitor's request


def _load(port: int, seconds: float) -> Measured:
    sessions = start_sessions(port, max(CLIENTS, int(seconds * 1200 / len(ANSWERS))))
    works = [answers(sessions[number::CLIENTS]) for number in range(CLIENTS)]
    measured = closed_loop(port, works, seconds)
    if measured.failed:
        raise SystemExit(f"replies that were no success: {measured.failed}")
    return measured


# Deliveries


def _bare(receiver: Receiver, processes: int, messages: int) -> float:
    receiver.forget()
    each = str(messages // processes)
    words = [sys.executable, "-m", "tests.bench.posting", receiver.url, each]
    started = [subprocess.Popen(words, cwd=ROOT) for _ in range(processes)]
    for process in started:
        process.wait()
    return _rate(receiver.notes())


def _wait_for_delivery(receiver: Receiver, url: str, processes: int, messages: int) -> float:
    """Facts a second that were fanned out; afterwards the receiver has all the messages."""
    with _office(url) as office:
        if not office.app.test_client().get("/api/questions").is_json:
            raise SystemExit("the application does not answer")
        with office.unit() as services:
            known = services.destinations.list_all()["destinations"]
        if not known:
            _subscribe(office, receiver)
        rate = _prepare(office, url, messages // DESTINATIONS)
        receiver.forget()
        with _runners(url, processes):
            _wait_for(receiver, messages // DESTINATIONS * DESTINATIONS)
    return rate


def _prepare(office: Shop, url: str, talks: int) -> float:
    """Conversations that are held and fanned out, so that only the sending is left."""
    with stage.gunicorn("main:app", url, **ALLOWED) as served:
        sessions = start_sessions(served.port, talks)
        closed_loop(served.port, [answers(sessions[number::8]) for number in range(8)], 600)
    with office.unit() as services:
        facts = services.session.scalar(select(func.count()).select_from(PendingFact)) or 0
    relay, began = Relay(office.resources), time.monotonic()
    while relay.fan_out():
        pass
    return facts / (time.monotonic() - began)


@contextlib.contextmanager
def _runners(url: str, processes: int) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            **ALLOWED,
            "DATABASE_URL": url,
            "DATA_DIR": folder,
            "LOG_LEVEL": "ERROR",
        }
        words = [sys.executable, "-m", "jobs.runner"]
        started = [subprocess.Popen(words, cwd=ROOT, env=environment) for _ in range(processes)]
        try:
            yield
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(timeout=60)


def _rate(notes: list[Took]) -> float:
    """Messages a second; the first quarter, in which processes still start, is left out."""
    counted = notes[len(notes) // 4 :]
    return (len(counted) - 1) / (counted[-1].at - counted[0].at)


def _wait_for(receiver: Receiver, count: int, seconds: float = 300.0) -> None:
    until = time.monotonic() + seconds
    while (seen := receiver.count()) < count:
        if time.monotonic() > until:
            raise SystemExit(f"only {seen} of {count} messages came")
        time.sleep(0.1)


# From answer to alert


def _hear_of_completed(server: Server, receiver: Receiver) -> None:
    words = ["create-key", "bench", "--scope", "alerts:write"]
    key = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "main", *words],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    wanted = {
        "channel": "webhook",
        "address": receiver.url,
        "triggers": ["journey_completed"],
    }
    _post(server.port, "/api/destinations", wanted, Authorization=f"Bearer {key}")


def _talk(server: Server, number: int) -> tuple[str, float]:
    """A whole conversation; its session, and when the last answer left."""
    session_id = str(_post(server.port, "/api/session/start", {})["session_id"])
    sent = 0.0
    for question_id, answer in ANSWERS:
        time.sleep(READING)
        body = {"session_id": session_id, "question_id": question_id, "answer_text": answer}
        sent = time.monotonic()
        _post(server.port, "/api/answer", body)
    return session_id, sent


def _post(port: int, path: str, body: Any, **headers: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", **headers},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        said: dict[str, Any] = json.load(reply)
    return said


# The application behind the API's back


@contextlib.contextmanager
def _office(url: str) -> Iterator[Shop]:
    with tempfile.TemporaryDirectory() as folder:
        allowed = {"OUTBOUND_ALLOWED_NETWORKS": (LOOPBACK,)}
        with shop(url, Path(folder), clock=SystemClock(), **allowed) as office:
            yield office


def _subscribe(office: Shop, receiver: Receiver) -> None:
    for _ in range(DESTINATIONS):
        with office.unit() as services:
            data = {"channel": "webhook", "address": receiver.url}
            services.destinations.add(data, who=Who("bench", is_operator=True))


def _execute(server: PostgresServer, statement: str) -> None:
    engine = create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
