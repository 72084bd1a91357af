"""How long the console's pages take with many leads: whole replies, role by role."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lib.clock import SystemClock
from tests.bench.stage import cpu_seconds
from tests.console.office import Office, Visit, office

ROUNDS = 9
# One of Sam's, contacted and still open.
LEAD = 4236
EVERYBODY = ("admin", "sales", "viewer")
LEADERS = ("admin", "marketer")
PAGES: Mapping[str, tuple[str, Sequence[str]]] = {
    "now": ("/console/now", EVERYBODY),
    "now, mine": ("/console/now?whose=mine", ("sales",)),
    "now, nobody's": ("/console/now?whose=nobody", ("admin", "sales")),
    "leads": ("/console/leads", (*EVERYBODY, "marketer")),
    "leads, with the filters open": ("/console/leads?filters=1", ("admin", "sales")),
    "leads, a variant": ("/console/leads?variant=greeting:B", ("admin", "sales")),
    "leads, an option": ("/console/leads?chose=1:Pharmacy", ("admin", "sales")),
    "leads, two options": (
        "/console/leads?chose=1:Pharmacy&chose=5:Billing",
        ("admin", "sales"),
    ),
    "leads, a name": ("/console/leads?q=lena", ("admin", "sales")),
    "leads, words of an answer": ("/console/leads?said=bandra&said_to=2", ("admin", "sales")),
    "one lead": (f"/console/leads/{LEAD}", EVERYBODY),
    "board": ("/console/board", EVERYBODY),
    "board, one campaign": ("/console/board?campaign=Spring", ("admin", "sales")),
    "calendar": ("/console/calendar", ("admin", "sales")),
    "dashboard": ("/console/dashboard", (*LEADERS, "sales")),
    "dashboard, funnel": ("/console/dashboard/funnel", LEADERS),
    "dashboard, sources": ("/console/dashboard/sources", LEADERS),
    "dashboard, segments": ("/console/dashboard/segments", LEADERS),
    "dashboard, segments by an answer": (
        "/console/dashboard/segments?by=answer:1&measure=won",
        LEADERS,
    ),
    "dashboard, team": ("/console/dashboard/team", LEADERS),
    "campaigns": ("/console/campaigns", LEADERS),
    "duplicates": ("/console/leads/duplicates", ("admin",)),
}


def whole_pages(
    url: str, folder: Path, *, postmaster: int, wanted: str = "", rounds: int = ROUNDS
) -> None:
    """A table of each page's median, ninth decile and processor time, role by role, in turns.

    The processor time is that of application and database; it hardly knows who else is there.
    """
    with office(url, folder, clock=SystemClock()) as ours:
        visits = _visits(ours)
        asked = [
            (name, role, path)
            for name, (path, roles) in PAGES.items()
            for role in roles
            if wanted in name
        ]
        taken: dict[tuple[str, str, str], list[float]] = {one: [] for one in asked}
        spent = dict.fromkeys(asked, 0.0)
        for number in range(rounds + 1):
            for one in asked:
                before = cpu_seconds(os.getpid(), postmaster)
                seconds = _seconds(visits[one[1]], one[2])
                if number:  # The first round warms caches and is not counted.
                    taken[one].append(seconds)
                    spent[one] += cpu_seconds(os.getpid(), postmaster) - before
    print(f"\nmedians of {rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
    print(f"| {'page':34} | {'role':8} | median ms | p90 ms | CPU ms |")
    print(f"|{'-' * 36}|{'-' * 10}|----------:|-------:|-------:|")
    for one, times in taken.items():
        median, late = statistics.median(times), statistics.quantiles(times, n=10)[-1]
        said = f"{1000 * median:9.0f} | {1000 * late:6.0f} | {1000 * spent[one] / rounds:6.0f}"
        print(f"| {one[0]:34} | {one[1]:8} | {said} |")


def _visits(ours: Office) -> dict[str, Visit]:
    """A signed-in browser of each role."""
    people = {"admin": "Alice", "marketer": "Mark", "sales": "Sam", "viewer": "Vera"}
    return {role: ours.visit(name, role) for role, name in people.items()}


def _seconds(visit: Visit, path: str) -> float:
    began = time.perf_counter()
    reply = visit.client.get(path)
    seconds = time.perf_counter() - began
    assert reply.status_code == 200, (path, visit.person, reply.status_code)
    return seconds
