"""`python -m tests.crash`: everything that can go wrong, and what was lost: a table."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from tests.bench.stage import database
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


def main() -> int:
    """Plays every scene and prints what was left; 0 when nothing is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=500)
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, PostgreSQL with fsync on, SQLite with synchronous=FULL,")
    print("gunicorn with 2 workers x 8 threads, python main.py; 12 visitors at once\n")
    print(f"| {' | '.join(HEAD)} |\n|{'|'.join('---' for _ in HEAD)}|", flush=True)
    wrong, notes = [], []
    for outcome in _play(chosen.kills, chosen.pairs):
        print(line(outcome), flush=True)
        wrong += [f"{outcome.name}: {one}" for one in outcome.complaints]
        notes += [f"{outcome.name}: {one}" for one in outcome.notes]
    print("\n" + "\n".join(notes))
    print(f"{len(wrong)} complaints")
    print("\n".join(wrong[:50]), file=sys.stderr)
    return 1 if wrong else 0


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
