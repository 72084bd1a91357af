"""What the indexes of the console cost an answer: servers with and without them, in turns."""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Callable, Mapping

from sqlalchemy import create_engine, text

from tests.bench import stage
from tests.bench.load import Measured
from tests.bench.stage import Served
from tests.servers.postgres import PostgresServer

# What is taken away, by the name of the row.
WITHOUT: Mapping[str, tuple[str, ...]] = {
    "all indexes": (),
    "without the words of answers": ("ix_answers_words",),
    "without those of the pages": (
        *("ix_leads_open", "ix_leads_stage", "ix_leads_snoozed_until", "ix_sessions_arms"),
        *("ix_follow_ups_waiting", "ix_activities_occurred_at"),
    ),
}
Measure = Callable[[Served, PostgresServer, float], tuple[Measured, float]]


def costs(measure: Measure, rounds: int, seconds: float) -> None:
    """A table of processor time and rate of an answer; `measure` is the bench's own."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in WITHOUT}
    with contextlib.ExitStack() as held:
        servers = {}
        for name, indexes in WITHOUT.items():
            server, url = held.enter_context(stage.database())
            _drop(url, indexes)
            servers[name] = (held.enter_context(stage.gunicorn("main:app", url)), server)
        for number in range(rounds + 1):
            for name, (served, server) in servers.items():
                seen, spent = measure(served, server, seconds)
                if seen.failed:
                    raise SystemExit(f"{name}: replies that were no success: {seen.failed}")
                steps = len(seen.seconds)
                if number:  # The first round warms caches and is not counted.
                    taken[name].append((1000 * spent / steps, steps / seen.wall))
    print(f"one answer, medians of {rounds} alternated rounds of {seconds:g} s,", end=" ")
    print(f"load {os.getloadavg()[0]:.1f}\n")
    print(f"| {'':34} | CPU ms/step | steps/s | of that of all indexes |")
    print(f"|{'-' * 36}|------------:|--------:|-----------------------:|")
    whole = taken["all indexes"]
    for name, rows in taken.items():
        spent, rate = (statistics.median(one) for one in zip(*rows, strict=True))
        # In pairs, for the machine may be busier in one round than in the next.
        beside = statistics.median(a[0] / b[0] for a, b in zip(rows, whole, strict=True))
        print(f"| {name:34} | {spent:11.2f} | {rate:7.0f} | {beside:22.3f} |")


def _drop(url: str, indexes: tuple[str, ...]) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for index in indexes:
            connection.execute(text(f"DROP INDEX {index}"))
    engine.dispose()
