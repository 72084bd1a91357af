"""How long the list of leads and the pages of the console take with many leads on PostgreSQL."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import create_engine, text

from config import Settings
from services import unit_of_work
from services.lead_view import LeadView
from services.resources import Resources
from tests.bench import stage
from tests.bench.pages import Taken, print_table, whole_pages

READER = "sam@example.com"
ROUNDS = 3
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
    """One table: views of the list (fifty rows and their count, two pages), then whole pages."""
    with stage.database() as (server, url), tempfile.TemporaryDirectory() as folder:
        fill(server, 0, leads)
        _vary(url)
        postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
        settings = Settings(_env_file=None, DATABASE_URL=url, DATA_DIR=Path(folder))
        resources = Resources.from_settings(settings)
        rows = [_taken(resources, name, view, postmaster) for name, view in VIEWS.items()]
        resources.engine.dispose()
        rows += whole_pages(url, Path(folder), postmaster=postmaster)
        print_table(rows, f"{leads:,} leads, PostgreSQL as shipped, {os.cpu_count()} cores")


def _taken(resources: Resources, name: str, view: LeadView, postmaster: int) -> Taken:
    """What a page of this view takes without its drawing; the first one and the second alike."""
    taken = Taken(f"list: {name}", "")
    for number in range(ROUNDS + 1):
        cursor = None
        for _ in range(2):
            with (
                taken.measured(postmaster, counts=number > 0),
                unit_of_work(resources, read_only=True) as services,
            ):
                page = services.lead_table(READER).page(view, limit=50, cursor=cursor)
            cursor = page.next_cursor
    return taken


def _vary(url: str) -> None:
    """Leads that differ, where the filler copies one, and what sales has done with them."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in [one for file in SQL for one in file.read_text().split(";\n")]:
            connection.execute(text(statement))
        # Each row was written several times; no shop's table is half made of what is gone. One
        # that grows answer by answer holds three conversations a page, as this does after it.
        connection.execute(text("ALTER TABLE sessions SET (fillfactor = 60)"))
        for table in ("leads", "sessions", "answers"):
            connection.execute(text(f"VACUUM (FULL) {table}"))
        connection.execute(text("ALTER TABLE sessions SET (fillfactor = 50)"))
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()
