"""How long the console's pages take with many leads: whole replies, role by role; a table of it."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lib.clock import SystemClock
from tests.bench.stage import cpu_seconds
from tests.console.office import Office, Visit, office

ROUNDS = 7
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
    "calendar, what a month draws": (
        "/console/calendar/events?start={month}T00:00:00Z&end={later}T00:00:00Z",
        ("admin", "sales"),
    ),
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


@dataclass
class Taken:
    """What one thing took in each round: by the clock, and of the processor.

    The processor time is that of application and database; it hardly knows who else is there.
    """

    name: str
    role: str
    seconds: list[float] = field(default_factory=list)
    spent: float = 0.0

    @contextmanager
    def measured(self, postmaster: int, *, counts: bool = True) -> Iterator[None]:
        """Measures the block, unless it only warms caches."""
        before, began = cpu_seconds(os.getpid(), postmaster), time.perf_counter()
        yield
        took = time.perf_counter() - began
        if counts:
            self.seconds.append(took)
            self.spent += cpu_seconds(os.getpid(), postmaster) - before

    def line(self) -> str:
        """Its row of the table."""
        late = statistics.quantiles(self.seconds, n=10)[-1]
        cpu = 1000 * self.spent / len(self.seconds)
        said = f"{1000 * statistics.median(self.seconds):9.0f} | {1000 * late:6.0f} | {cpu:6.0f}"
        return f"| {self.name:34} | {self.role:8} | {said} |"


def print_table(rows: Iterable[Taken], title: str) -> None:
    """All of them, with the load of the machine at this moment."""
    print(f"{title}, load {os.getloadavg()[0]:.1f}\n")
    print(f"| {'':34} | {'role':8} | median ms | p90 ms | CPU ms |")
    print(f"|{'-' * 36}|{'-' * 10}|----------:|-------:|-------:|")
    for one in rows:
        print(one.line())


def whole_pages(
    url: str, folder: Path, *, postmaster: int, wanted: str = "", rounds: int = ROUNDS
) -> list[Taken]:
    """What each page takes that is called so, role by role, in turns."""
    with office(url, folder, clock=SystemClock()) as ours:
        visits = _visits(ours)
        asked = [
            (Taken(name, role), path)
            for name, (path, roles) in PAGES.items()
            for role in roles
            if wanted in name
        ]
        today = datetime.now(UTC).date()
        days = {"month": today - timedelta(days=21), "later": today + timedelta(days=21)}
        for number in range(rounds + 1):
            for taken, path in asked:
                with taken.measured(postmaster, counts=number > 0):
                    _ask(visits[taken.role], path.format(**days))
    return [taken for taken, _ in asked]


def _visits(ours: Office) -> dict[str, Visit]:
    """A signed-in browser of each role."""
    people = {"admin": "Alice", "marketer": "Mark", "sales": "Sam", "viewer": "Vera"}
    return {role: ours.visit(name, role) for role, name in people.items()}


def _ask(visit: Visit, path: str) -> None:
    reply = visit.client.get(path)
    assert reply.status_code == 200, (path, visit.person, reply.status_code)
