"""`python -m tests.crash`: everything that can go wrong, and what was lost: a table."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator

from lib import logging
from tests.bench.stage import database
from tests.crash.deliveries import WORKERS, Delivered, kill_senders
from tests.crash.scenes import (
    Outcome,
    fill_the_disk,
    kill_the_process,
    kill_workers,
    lose_replies,
    pairs,
    restart_database,
)
from tests.crash.stage import GUNICORN, ONE_PROCESS

HEAD = (
    *("misfortune", "times", "acknowledged", "answers", "broken", "503", "replayed"),
    *("lost", "doubled", "wrong scores", "unlike repeats"),
)
SENT = (
    *("misfortune", "kills", "restarts", "messages", "seconds"),
    *("lost", "under two ids", "extra sends", "at most"),
)


def main() -> int:
    """Plays every scene and prints what was left; 0 when nothing is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--sender-kills", type=int, default=40)
    parser.add_argument("--only", choices=("visitors", "deliveries"))
    chosen = parser.parse_args()
    logging.configure("ERROR")
    wrong = []
    if chosen.only != "deliveries":
        wrong += _visitors(chosen.kills, chosen.pairs)
    if chosen.only != "visitors":
        wrong += _deliveries(chosen.sender_kills, chosen.messages)
    print(f"{len(wrong)} complaints")
    print("\n".join(wrong[:50]), file=sys.stderr)
    return 1 if wrong else 0


def _visitors(kills: int, count: int) -> list[str]:
    """The table of what visitors were told, and the complaints."""
    print(f"{os.cpu_count()} cores, PostgreSQL with fsync on, SQLite with synchronous=FULL,")
    print("gunicorn with 2 workers x 8 threads, python main.py; 12 visitors at once\n")
    print(f"| {' | '.join(HEAD)} |\n|{'|'.join('---' for _ in HEAD)}|", flush=True)
    wrong, notes = [], []
    for outcome in _play(kills, count):
        print(line(outcome), flush=True)
        wrong += [f"{outcome.name}: {one}" for one in outcome.complaints]
        notes += [f"{outcome.name}: {one}" for one in outcome.notes]
    print("\n" + "\n".join(notes) + "\n")
    return wrong


def _deliveries(kills: int, messages: int) -> list[str]:
    """The table of what receivers were told, and the complaints."""
    print(f"{WORKERS} worker processes of one sender each, to a receiver that honours ids\n")
    print(f"| {' | '.join(SENT)} |\n|{'|'.join('---' for _ in SENT)}|", flush=True)
    wrong, notes = [], []
    for done in _send(kills, messages):
        print(sent_line(done), flush=True)
        wrong += [f"{done.name}: {one}" for one in done.complaints]
        notes += [f"{done.name}: {one}" for one in done.notes]
    print("\n" + "\n".join(notes) + "\n")
    return wrong


def line(outcome: Outcome) -> str:
    """One row of the table."""
    verdict = outcome.verdict
    cells = (
        *(outcome.name, outcome.faults, outcome.acknowledged, verdict.answers),
        *(outcome.seen.broken, outcome.seen.statuses[503], outcome.replayed),
        *(len(verdict.lost), len(verdict.doubled), len(verdict.wrong_scores)),
        len(outcome.unlike),
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def sent_line(done: Delivered) -> str:
    """One row of the table of deliveries."""
    cells = (
        *(done.name, done.kills, done.restarts, done.messages, f"{done.seconds:.0f}"),
        *(len(done.lost), len(done.doubled), done.extra, done.most_extra),
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _send(kills: int, messages: int) -> Iterator[Delivered]:
    with database("sent") as (server, url):
        yield kill_senders(url, kills, messages=messages, postgresql=server)
    with tempfile.TemporaryDirectory() as folder:
        yield kill_senders(f"sqlite:///{folder}/leadline.db", kills, messages=messages)


def _play(kills: int, count: int) -> Iterator[Outcome]:
    """Every scene in turn, each as soon as the one before is over."""
    with database("killed") as (_, url):
        yield kill_workers(url, kills)
    yield kill_the_process(kills)
    with database("restarted") as (server, url):
        yield restart_database(server, url, 3)
    with database("cut") as (_, url):
        yield lose_replies(GUNICORN, url, 10.0)
    yield lose_replies(ONE_PROCESS, "", 5.0)
    full = fill_the_disk(3.0)
    if full is None:
        print("no small disk may be mounted here: a full disk was left out", file=sys.stderr)
    else:
        yield full
    with database("pairs") as (_, url):
        yield pairs(GUNICORN, url, count, others=count // 10)


if __name__ == "__main__":
    sys.exit(main())
