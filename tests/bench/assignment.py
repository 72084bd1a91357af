"""What experiments cost the start of a conversation: servers with and without them, in turns."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator

from engine.bucketing import hash_value
from tests.bench import stage
from tests.bench.load import closed_loop, request
from tests.bench.stage import Served, cpu_seconds, postmaster

CLIENTS, KNOWN = 4, 400
_fresh = itertools.count()


def assignment(rounds: int, seconds: float) -> None:
    """Two tables: the hash alone, and a start with experiments beside one without."""
    print(f"the hash alone: {_hashes():,.0f} a second on one core\n")
    print(
        f"`/api/session/start`, {CLIENTS} clients, medians of {rounds} alternated rounds of",
        end=" ",
    )
    print(f"{seconds:g} s, load {os.getloadavg()[0]:.1f}\n")
    print(f"| {'':34} | CPU ms with | without | ratio | p99 ms with | without |")
    print(f"|{'-' * 36}|------------:|--------:|------:|------------:|--------:|")
    for kind in ("SQLite", "PostgreSQL"):
        with _servers(kind) as (servers, others):
            for served in servers.values():
                first = [itertools.islice(one, KNOWN) for one in _known()]
                closed_loop(served.port, first, 600)
            for who, works in (("known visitors", _known), ("new visitors", _new)):
                taken: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
                for number in range(rounds + 1):
                    for on, served in servers.items():
                        row = _measured(served, others, works(), seconds)
                        if number:  # The first round warms caches and is not counted.
                            taken[on].append(row)
                print(_line(f"{kind}, {who}", taken))


def _line(name: str, taken: dict[bool, list[tuple[float, float]]]) -> str:
    (cpu, p99), (cpu_off, p99_off) = (
        [statistics.median(one) for one in zip(*taken[on], strict=True)] for on in (True, False)
    )
    ratio = statistics.median(
        mine / other for (mine, _), (other, _) in zip(taken[True], taken[False], strict=True)
    )
    figures = f"{cpu:11.2f} | {cpu_off:7.2f} | {ratio:5.2f} | {p99:11.1f} | {p99_off:7.1f}"
    return f"| {name:34} | {figures} |"


@contextlib.contextmanager
def _servers(kind: str) -> Iterator[tuple[dict[bool, Served], tuple[int, ...]]]:
    """Two servers of equal, empty databases, and the processes beside them that work for both."""
    with contextlib.ExitStack() as held:
        others: tuple[int, ...] = ()
        urls = {}
        for on in (True, False):
            if kind == "SQLite":
                folder = held.enter_context(tempfile.TemporaryDirectory())
                urls[on] = f"sqlite:///{folder}/leadline.db"
            else:
                server, urls[on] = held.enter_context(stage.database())
                others += (postmaster(server),)
        yield (
            {
                on: held.enter_context(stage.gunicorn("main:app", url, AB_TESTING_ENABLED=str(on)))
                for on, url in urls.items()
            },
            others,
        )


def _measured(
    served: Served, others: tuple[int, ...], works: list[Iterator[bytes]], seconds: float
) -> tuple[float, float]:
    """Milliseconds of processor time of a start, of application and database; p99 by the clock."""
    processes = (served.process.pid, *others)
    before = cpu_seconds(*processes)
    measured = closed_loop(served.port, works, seconds)
    if measured.failed:
        raise SystemExit(f"replies that were no success: {measured.failed}")
    spent = cpu_seconds(*processes) - before
    return 1000 * spent / len(measured.seconds), measured.percentile(0.99)


def _known() -> list[Iterator[bytes]]:
    """Visitors who come again and again, each client its own."""
    each = KNOWN // CLIENTS
    return [
        itertools.cycle([_start(f"known-visitor-{client * each + n}") for n in range(each)])
        for client in range(CLIENTS)
    ]


def _new() -> list[Iterator[bytes]]:
    return [
        (_start(f"new-visitor-{next(_fresh)}") for _ in itertools.count()) for _ in range(CLIENTS)
    ]


def _start(visitor: str) -> bytes:
    return request("POST", "/api/session/start", json.dumps({"visitor_id": visitor}).encode())


def _hashes(count: int = 100_000) -> float:
    began = time.process_time()
    for number in range(count):
        hash_value("5c0f1d7a9be24c13", f"visitor-{number}", 2)
    return count / (time.process_time() - began)
