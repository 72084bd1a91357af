"""How long the list of leads and the pages of the console take with many leads on PostgreSQL."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import create_engine, text

from config import Settings
from services import unit_of_work
from services.lead_view import LeadView
from services.resources import Resources
from tests.bench import stage
from tests.bench.pages import whole_pages

READER = "sam@example.com"
ROUNDS = 5
SQL = [Path(__file__).parent / name for name in ("console.sql", "sales.sql")]
VIEWS = {
    **{
        f"ranked by {sort}": LeadView(sort=sort)
        for sort in (
            *("score", "points", "probability", "crm_rules", "engagement"),
            *("newest", "active", "quiet", "name"),
        )
    },
    "class": LeadView(classification="MQL"),
    "tier": LeadView(tier="hot"),
    "stage": LeadView(stage="Meeting"),
    "mine, by engagement": LeadView(owner="mine", sort="engagement"),
    "nobody's": LeadView(owner="nobody"),
    "source": LeadView(source="google"),
    "campaign": LeadView(campaign="Spring"),
    "UTM campaign": LeadView(utm_campaign="brand"),
    "variant": LeadView(variant="greeting:B"),
    "an option": LeadView(chose=("1:Pharmacy",)),
    "two options": LeadView(chose=("1:Pharmacy", "5:Billing")),
    "words in an answer": LeadView(said="bandra", said_to=2),
    "search: a name": LeadView(q="lena"),
    "search: two words": LeadView(q="lena keller"),
    "search: part of a number": LeadView(q="79190"),
    "search: an answer": LeadView(q="mumbai"),
    "search: nothing is like it": LeadView(q="zzzz"),
    "ten days": LeadView(from_="2026-09-01", to="2026-09-10"),
}


def pages(leads: int, fill: Callable[..., None]) -> None:
    """Two tables: views of the list, two pages of fifty rows each and their count; whole pages."""
    with stage.database() as (server, url), tempfile.TemporaryDirectory() as folder:
        fill(server, 0, leads)
        _vary(url)
        settings = Settings(_env_file=None, DATABASE_URL=url, DATA_DIR=Path(folder))
        resources = Resources.from_settings(settings)
        print(f"{leads:,} leads, PostgreSQL as shipped, load {os.getloadavg()[0]:.1f}\n")
        print(f"| {'view':28} | first page ms | second page ms |")
        print(f"|{'-' * 30}|--------------:|---------------:|")
        for name, view in VIEWS.items():
            first, second = _taken(resources, view)
            print(f"| {name:28} | {first:13.0f} | {second:14.0f} |")
        resources.engine.dispose()
        postmaster = (server.folder / "data" / "postmaster.pid").read_text().split()[0]
        whole_pages(url, Path(folder), postmaster=int(postmaster))


def _taken(resources: Resources, view: LeadView) -> tuple[float, float]:
    first, second = [], []
    for _ in range(ROUNDS):
        cursor = None
        for taken in (first, second):
            began = time.perf_counter()
            with unit_of_work(resources, read_only=True) as services:
                page = services.lead_table(READER).page(view, limit=50, cursor=cursor)
            taken.append(1000 * (time.perf_counter() - began))
            cursor = page.next_cursor
    return statistics.median(first), statistics.median(second)


def _vary(url: str) -> None:
    """Leads that differ, where the filler copies one, and what sales has done with them."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in [one for file in SQL for one in file.read_text().split(";\n")]:
            connection.execute(text(statement))
        # Each row was written several times; no shop's table is half made of what is gone.
        for table in ("leads", "sessions", "answers"):
            connection.execute(text(f"VACUUM (FULL) {table}"))
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()
