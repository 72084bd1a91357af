"""The action queue: who needs somebody right now, by when, why, and in which order.

One list. A lead is in it as long as it has a reason, and once however many it has. What can still
be done in time stands before what is late already; of that the freshest first, for there the
chance is best. Promises to a person (follow-ups) keep the order in which they were made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from engine.points import advice_for
from engine.vocabulary import Tier

# A follow-up is shown this long before it is due.
SOON = timedelta(hours=1)
# Nobody answered: so long until the next try of a hot lead, and of any other.
RETRY_HOT, RETRY = timedelta(hours=2), timedelta(hours=24)
# A hot lead that nobody called for so long is no hotter than a warm one.
STALE = timedelta(hours=24)
# Who was contacted is left alone for so long before somebody is told that nothing moves.
REST = timedelta(days=1)
# What the outcome or status of a call says when nobody was reached.
UNANSWERED = ("no_answer", "busy", "voicemail", "left_message")


class Cause(StrEnum):
    """What brings a lead into the queue."""

    FIRST_TOUCH = "first_touch"
    NEWS = "news"
    NO_ANSWER = "no_answer"
    FOLLOW_UP = "follow_up"
    WOKE = "woke"
    FAIR_CHANCE = "fair_chance"
    STAGNANT = "stagnant"


class Band(IntEnum):
    """How pressing a reason is; a lower band comes first."""

    HOT = 0
    PROMISED = 1
    SOON = 2
    CHANCE = 3
    STUCK = 4


@dataclass(frozen=True)
class Standing:
    """What the queue must know of an open lead that is not snoozed."""

    lead_id: int
    tier: Tier
    score: float
    is_sql: bool
    # Since when it stands in its tier, and when the person last did something themselves.
    reached_at: datetime
    seen_at: datetime | None = None
    # When sales last turned to the person, and whether somebody was there.
    touched_at: datetime | None = None
    was_reached: bool = True
    # The next thing that is planned, and when it was planned.
    follow_up_at: datetime | None = None
    planned_at: datetime | None = None
    woke_at: datetime | None = None
    # Since when it is in its stage, and after how many days that is too long.
    staged_at: datetime | None = None
    stage: str = ""
    limit_days: int | None = None
    # Drawn by lot to be worked whatever its score.
    is_drawn: bool = False


@dataclass(frozen=True)
class Reason:
    """Why somebody should turn to a lead: in words, since when, and by when."""

    cause: Cause
    text: str
    since: datetime
    due: datetime
    band: Band


@dataclass(frozen=True)
class Task:
    """A line of the queue; its reasons in the order of their weight."""

    lead_id: int
    tier: Tier
    score: float
    reasons: tuple[Reason, ...]

    @property
    def due(self) -> datetime:
        """By when somebody should have turned to the lead."""
        return self.reasons[0].due


def tasks(standings: Iterable[Standing], now: datetime) -> list[Task]:
    """The queue at this moment, the most pressing first; always the same for the same leads."""
    found = [_task(one, now) for one in standings]
    return sorted((one for one in found if one.reasons), key=lambda one: _place(one, now))


def reasons_of(one: Standing, now: datetime) -> list[Reason]:
    """Every reason to turn to a lead now, the weightiest first; [] when it may rest."""
    found = [*_promised(one, now)]
    if not _is_planned(one, now):
        found += [*_called_for(one, now), *_woken(one), *_stuck(one, now)]
    return sorted(found, key=lambda reason: (_weight(reason, now), reason.cause))


def _task(one: Standing, now: datetime) -> Task:
    return Task(one.lead_id, one.tier, one.score, tuple(reasons_of(one, now)))


def _place(task: Task, now: datetime) -> tuple[float, ...]:
    return (*_weight(task.reasons[0], now), -task.score, task.lead_id)


def _weight(reason: Reason, now: datetime) -> tuple[float, float, float]:
    """The band, whether it is late, and how far from its deadline it is."""
    left = (reason.due - now).total_seconds()
    if reason.cause is Cause.FOLLOW_UP:
        return reason.band, 0.0, left
    band = Band.SOON if reason.band is Band.HOT and left < -STALE.total_seconds() else reason.band
    return (band, 0.0, left) if left >= 0 else (band, 1.0, -left)


def _is_planned(one: Standing, now: datetime) -> bool:
    """Whether somebody has decided when to turn to the lead, and nothing came up since."""
    if one.follow_up_at is None or one.follow_up_at <= now + SOON:
        return False
    planned = one.planned_at or now
    return one.seen_at is None or one.seen_at <= planned


def _promised(one: Standing, now: datetime) -> Iterator[Reason]:
    due = one.follow_up_at
    if due is not None and due <= now + SOON:
        text = "A follow-up is overdue" if due <= now else "A follow-up is due soon"
        yield Reason(Cause.FOLLOW_UP, text, due, due, Band.PROMISED)


def _called_for(one: Standing, now: datetime) -> Iterator[Reason]:
    """The lead's own standing asks for a call."""
    if one.tier is Tier.COLD and not one.is_sql:
        if one.is_drawn and one.touched_at is None:
            text = "Drawn by lot: worked whatever its score, so that the model hears of such leads"
            yield Reason(
                Cause.FAIR_CHANCE, text, one.reached_at, one.reached_at + RETRY, Band.CHANCE
            )
        return
    who, band = _who(one), Band.HOT if one.tier is Tier.HOT else Band.SOON
    touched = one.touched_at
    if touched is None:
        text = f"{who}, and nobody has turned to it yet"
        yield Reason(Cause.FIRST_TOUCH, text, one.reached_at, _by(one, one.reached_at), band)
    elif one.seen_at is not None and one.seen_at > touched:
        text = f"{who}, and came back after the last contact"
        yield Reason(Cause.NEWS, text, one.seen_at, _by(one, one.seen_at), band)
    elif not one.was_reached:
        due = touched + (RETRY_HOT if one.tier is Tier.HOT else RETRY)
        if due <= now:
            text = f"{who}, and nobody answered the last time"
            yield Reason(Cause.NO_ANSWER, text, touched, due, band)


def _woken(one: Standing) -> Iterator[Reason]:
    woke = one.woke_at
    if woke is not None and (one.touched_at is None or one.touched_at < woke):
        yield Reason(Cause.WOKE, "Its snooze is over", woke, _by(one, woke), Band.SOON)


def _stuck(one: Standing, now: datetime) -> Iterator[Reason]:
    if one.staged_at is None or one.limit_days is None:
        return
    due = one.staged_at + timedelta(days=one.limit_days)
    rests = one.touched_at is not None and one.touched_at > now - REST
    if due < now and not rests:
        text = f"In {one.stage} for longer than {one.limit_days} days"
        yield Reason(Cause.STAGNANT, text, one.staged_at, due, Band.STUCK)


def _who(one: Standing) -> str:
    words = {Tier.HOT: "Hot", Tier.WARM: "Warm", Tier.COLD: "Sales qualified"}[one.tier]
    return f"{words} and sales qualified" if one.is_sql and one.tier is not Tier.COLD else words


def _by(one: Standing, since: datetime) -> datetime:
    """The deadline of the tier; who is in no hurry by their tier has the one of a warm lead."""
    hours = advice_for(one.tier).hours or advice_for(Tier.WARM).hours or 0
    return since + timedelta(hours=hours)
