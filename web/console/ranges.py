"""Which days a dashboard speaks of: presets or two dates, in the reader's own time zone."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request

from engine.periods import DEFAULT, PRESETS, Period, read_period
from web.console.wording import time_zone
from web.unit_of_work import services

ALONE = "no"


@dataclass(frozen=True)
class Chosen:
    """The days that were chosen, how, and what was wrong with the choice."""

    name: str
    period: Period
    problem: str = ""
    # Whether figures stand beside those of as many days right before.
    compares: bool = True

    @property
    def presets(self) -> list[tuple[str, str]]:
        """What there is to choose from."""
        return list(PRESETS.items())

    @property
    def query(self) -> dict[str, str]:
        """The choice as the query of an address."""
        more = {} if self.compares else {"compare": ALONE}
        if self.name != "custom":
            return {"range": self.name, **more}
        first, last = self.period.first.isoformat(), self.period.last.isoformat()
        return {"range": "custom", "from": first, "to": last, **more}

    @property
    def before(self) -> Period | None:
        """The days to compare with; None where nobody asked for a comparison."""
        return self.period.before if self.compares else None

    @property
    def periods(self) -> list[Period]:
        """The days, and behind them those to compare with."""
        return [self.period, *([self.before] if self.before else [])]

    @property
    def words(self) -> str:
        """The days in words: "1 Nov 2026 to 21 Nov 2026 (21 days, Europe/Berlin)"."""
        period = self.period
        first, last = (f"{day.day} {day:%b %Y}" for day in (period.first, period.last))
        days = "1 day" if period.days == 1 else f"{period.days} days"
        return f"{first} to {last} ({days}, {period.zone.key})"

    @property
    def before_words(self) -> str:
        """The days before in words."""
        return "the day before" if self.period.days == 1 else f"the {self.period.days} days before"


def chosen() -> Chosen:
    """The days that this address asks for; the usual ones, with a sentence, where it cannot be."""
    zone = time_zone()
    today = services().now().astimezone(zone).date()
    name, compares = request.args.get("range", DEFAULT), request.args.get("compare") != ALONE
    try:
        first, last = request.args.get("from"), request.args.get("to")
        period = read_period(name, first, last, today=today, zone=zone)
        return Chosen(name, period, compares=compares)
    except ValueError as error:
        usual = read_period(DEFAULT, None, None, today=today, zone=zone)
        return Chosen(DEFAULT, usual, str(error), compares)
