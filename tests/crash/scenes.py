"""The scenes: one kind of misfortune each, under load, and what was left afterwards."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests.crash.clients import SIGNAL, Caller, Seen, Sent, Visitors, repeated_otherwise
from tests.crash.proxy import Proxy
from tests.crash.stage import (
    GUNICORN,
    ONE_PROCESS,
    Disk,
    Server,
    restart,
    serving,
    small_disk,
)
from tests.crash.verdict import Verdict, compare
from tests.servers.postgres import PostgresServer

VISITORS = 12
# So many requests succeed before the next blow, so that each one hits a server at work.
BETWEEN_BLOWS = (10, 350)
RECOVERED_WITHIN = 5.0  # seconds from a database that is ready to the first success


@dataclass
class Outcome:
    """What a scene did, what its visitors saw, and what is wrong afterwards."""

    name: str
    faults: int
    seen: Seen
    verdict: Verdict = field(default_factory=Verdict)
    acknowledged: int = 0
    replayed: int = 0
    differences: str = ""
    unlike: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def complaints(self) -> list[str]:
        """Everything that should not be; empty when all is well."""
        replay = [] if "\n0 differences\n" in self.differences else [self.differences]
        unfit = [f"a refusal: {one}" for one in sorted(set(self.seen.unfit))]
        return [*self.verdict.complaints, *replay, *self.unlike, *unfit, *self.also]


def kill_workers(
    url: str, kills: int, *, count: int = VISITORS, between: tuple[int, int] = BETWEEN_BLOWS
) -> Outcome:
    """Workers of gunicorn are killed one by one, at random moments, each when it is at work."""
    with serving(GUNICORN, url) as server:
        with Visitors(server.port, count) as visitors:
            for _ in range(kills):
                visitors.wait_for(random.randint(*between))
                server.kill_worker()
        outcome = _judged("workers killed (gunicorn)", kills, server, url, visitors)
        if not server.is_healthy("/metrics"):
            outcome.also.append("/metrics does not answer after the kills")
        return outcome


def kill_the_process(
    kills: int, *, count: int = VISITORS, between: tuple[int, int] = BETWEEN_BLOWS
) -> Outcome:
    """`python main.py` on its SQLite file is killed and started again."""
    with serving(ONE_PROCESS, "") as server:
        with Visitors(server.port, count) as visitors:
            for _ in range(kills):
                visitors.wait_for(random.randint(*between))
                server.kill()
        return _judged("process killed (python main.py)", kills, server, server.file(), visitors)


def restart_database(postgresql: PostgresServer, url: str, restarts: int) -> Outcome:
    """PostgreSQL is stopped without mercy and started again."""
    with serving(GUNICORN, url) as server:
        ready = []
        with Visitors(server.port, VISITORS) as visitors:
            for _ in range(restarts):
                visitors.wait_for(random.randint(*BETWEEN_BLOWS))
                ready.append(restart(postgresql))
        outcome = _judged("PostgreSQL restarted (immediate)", restarts, server, url, visitors)
    for moment in ready:
        seconds = visitors.seen.first_success_after(moment)
        if seconds is None or seconds > RECOVERED_WITHIN:
            outcome.also.append(f"the first success came after {seconds} s")
        else:
            outcome.notes.append(f"first success {seconds:.2f} s after it was ready")
    return outcome


def lose_replies(
    words: Sequence[str], url: str, seconds: float, *, count: int = VISITORS
) -> Outcome:
    """Replies are lost after the commit, and requests are cut on their way."""
    with serving(tuple(words), url) as server, Proxy(server.port) as proxy:
        with Visitors(proxy.port, count) as visitors:
            time.sleep(seconds)
        bad = sum(times for fate, times in proxy.fates.items() if fate != "pass")
        name = f"replies lost, requests cut ({'gunicorn' if url else 'python main.py'})"
        outcome = _judged(name, bad, server, url or server.file(), visitors)
    outcome.notes.append(", ".join(f"{times} × {fate}" for fate, times in proxy.fates.items()))
    if not outcome.replayed:
        outcome.also.append("no retry ever met a stored reply")
    return outcome


def fill_the_disk(seconds: float) -> Outcome | None:
    """The disk under SQLite is full for a while; None where no small disk can be mounted."""
    with small_disk() as disk, tempfile.TemporaryDirectory() as elsewhere:
        if disk is None:
            return None
        server = Server(ONE_PROCESS, "", disk.folder, log=Path(elsewhere) / "log")
        try:
            return _filled(server, disk, seconds)
        finally:
            server.stop()


def _filled(server: Server, disk: Disk, seconds: float) -> Outcome:
    with Visitors(server.port, 4) as visitors:
        time.sleep(seconds)
        disk.fill()
        time.sleep(seconds)
        reads = server.is_healthy("/api/questions")
        full = dict(visitors.seen.codes)
        disk.empty()
        emptied = time.monotonic()
        time.sleep(seconds)
    outcome = _judged("disk full (python main.py)", 1, server, server.file(), visitors)
    outcome.also += _after_full(server, full, reads=reads)
    back = visitors.seen.first_success_after(emptied)
    outcome.notes.append(f"refused meanwhile: {full}; first success {back or 99:.2f} s after")
    return outcome


def pairs(words: Sequence[str], url: str, count: int, *, others: int) -> Outcome:
    """Two callers send each request with one key at the same moment; then others reuse the key."""
    with serving(tuple(words), url) as server:
        seen, sessions = Seen(), _sessions(server.port, 20)
        path, said = SIGNAL
        twins = [
            tuple(
                Sent(path, f"pair-{number}", {"session_id": sessions[number % 20], **said})
                for _ in range(2)
            )
            for number in range(count)
        ]
        _at_once(server.port, seen, twins)
        outcome = Outcome("pairs with one key at once", count, seen)
        outcome.acknowledged = sum(one.is_acknowledged for twin in twins for one in twin)
        outcome.replayed = sum(one.replayed for twin in twins for one in twin)
        outcome.unlike = _unlike(twins)
        outcome.also = _reused(server.port, [one for one, _ in twins[:others]])
        effects = _scalar(
            url or server.file(), "SELECT count(*) FROM events WHERE kind = 'behavior.reported'"
        )
        if effects != count:
            outcome.verdict.doubled.append(f"{effects} effects of {count} pairs")
        outcome.differences = server.replay()
        return outcome


def _judged(name: str, faults: int, server: Server, url: str, visitors: Visitors) -> Outcome:
    outcome = Outcome(name, faults, visitors.seen, compare(url, visitors.talks))
    sent = list(visitors.requests())
    outcome.acknowledged = sum(one.is_acknowledged for one in sent)
    outcome.replayed = sum(one.replayed for one in sent)
    outcome.differences = server.replay()
    outcome.unlike = repeated_otherwise(server.port, sent)
    given_up = [f"{one.path}: {one.status}" for one in sent if not one.is_acknowledged]
    outcome.also += [f"never acknowledged: {one}" for one in given_up]
    again = compare(url, visitors.talks)
    outcome.verdict.doubled += [f"after the repeats: {one}" for one in again.doubled]
    return outcome


def _after_full(server: Server, codes: dict[str, int], *, reads: bool) -> list[str]:
    wrong = []
    if set(codes) != {"storage_full"}:
        wrong.append(f"a full disk is storage_full and nothing else: {codes}")
    if not reads:
        wrong.append("nothing could be read while the disk was full")
    if server.process.poll() is not None:
        wrong.append("the process did not live through it")
    whole = _scalar(server.file(), "PRAGMA integrity_check")
    return wrong if whole == "ok" else [*wrong, f"the file is damaged: {whole}"]


def _sessions(port: int, count: int) -> list[str]:
    caller, found = Caller(port, Seen()), []
    for number in range(count):
        start = Sent("/api/session/start", f"start-of-session-{number}", {})
        caller.insist(start)
        found.append(str(start.reply["session_id"]))
    caller.close()
    return found


def _at_once(port: int, seen: Seen, twins: Sequence[tuple[Sent, ...]], couples: int = 4) -> None:
    """Sends each pair from two threads that wait for each other before every request."""

    def one_of(couple: int, side: int, together: threading.Barrier) -> Callable[[], None]:
        def send() -> None:
            caller = Caller(port, seen)
            for twin in twins[couple::couples]:
                together.wait()
                caller.insist(twin[side])
            caller.close()

        return send

    threads = []
    for couple in range(couples):
        barrier = threading.Barrier(2)
        threads += [threading.Thread(target=one_of(couple, side, barrier)) for side in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _unlike(twins: Sequence[tuple[Sent, ...]]) -> list[str]:
    """The pairs whose replies differ, or of which not exactly one is a replay."""
    return [
        f"{first.key}: {first.status} {first.reply} and {second.status} {second.reply}"
        for first, second in twins
        if first.reply != second.reply or first.replayed == second.replayed
    ]


def _reused(port: int, requests: Sequence[Sent]) -> list[str]:
    """What becomes of a key that is used for another body: it must be refused."""
    caller, wrong = Caller(port, Seen()), []
    for one in requests:
        other = Sent(one.path, one.key, {**one.body, "action": "email_open"})
        caller.send(other)
        code = other.reply.get("error", {}).get("code")
        if (other.status, code) != (422, "idempotency_key_reused"):
            wrong.append(f"{one.key} with another body: {other.status} {code}")
    caller.close()
    return wrong


def _scalar(url: str, statement: str) -> Any:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.scalar(text(statement))
    engine.dispose()
    return found
