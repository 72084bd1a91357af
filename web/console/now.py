"""Now: what somebody who sells should do at this moment, with one click for what is most usual."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import marshmallow
from flask import Response, request
from marshmallow import fields, validate

from engine.policy import Permission
from engine.queue import Cause
from engine.vocabulary import ActivityKind
from services.action_queue import Item, Now, Scope
from services.diary_service import NewActivity
from web.console import masking, wording
from web.console.frame import Pages, go_to, is_htmx, me, read, read_query, show
from web.console.lead import address
from web.console.lead_forms import SPANS, day_begin, tomorrow_morning
from web.console.notes import say
from web.unit_of_work import resources, services

pages = Pages("now", __name__)

WRITE = Permission.LEADS_WRITE
# How many lines one sees at first, and at most.
FIRST, MOST = 25, 400
WHOSE = (("", "All"), ("mine", "Mine"), ("nobody", "Nobody's"))


class Asked(marshmallow.Schema):
    """Whose leads, and how many."""

    whose = fields.String(load_default="", validate=validate.OneOf([key for key, _ in WHOSE]))
    lines = fields.Integer(load_default=FIRST, validate=validate.Range(1, MOST))


class Span(marshmallow.Schema):
    """For how long."""

    span = fields.String(required=True, validate=validate.OneOf(list(SPANS)))


@dataclass(frozen=True)
class Line:
    """A line of the queue as its reader may see it."""

    item: Item
    name: str
    about: str
    phone: str | None
    email: str | None
    left: str
    is_late: bool
    is_promise: bool


@pages.page("/now", needs=Permission.LEADS_READ)
def now() -> str:
    """The queue; for who leads, how the pipeline stands."""
    asked = _asked()
    found = _find(asked["whose"])
    leads_all = me().may(Permission.LEADS_ALL)
    return show(
        "now/now.html",
        lines=[_line(one) for one in found.items[: asked["lines"]]],
        hidden=max(0, len(found.items) - asked["lines"]),
        found=found,
        asked=asked,
        whose=WHOSE,
        names=dict(services().lead_choices.owners()),
        may_work=me().may(WRITE),
        health=services().health.find(wording.time_zone()) if leads_all else None,
        at=resources().clock.now(),
        most=MOST,
        step=FIRST,
    )


@pages.page("/now/next", needs=Permission.LEADS_READ)
def following() -> Response:
    """On to the lead behind one in the queue; from the last one, or from none, to the first."""
    found = _find("").items
    after = request.args.get("after", "")
    ids = [str(one.lead.id) for one in found]
    place = ids.index(after) + 1 if after in ids else 0
    rest = [one for one in (*found[place:], *found[:place]) if str(one.lead.id) != after]
    if not rest:
        say("That was the last one.")
        return go_to("console_now.now")
    return go_to("console_lead.lead", lead_id=rest[0].lead.id, **{"from": "now"})


@pages.page("/now/<int:lead_id>/called", methods=("POST",), needs=WRITE)
def called(lead_id: int) -> Response | str:
    """Reached by phone."""
    return _logged(lead_id, "reached", "Called.")


@pages.page("/now/<int:lead_id>/no-answer", methods=("POST",), needs=WRITE)
def no_answer(lead_id: int) -> Response | str:
    """Called, and nobody was there; it comes back by itself."""
    return _logged(lead_id, "no_answer", "No answer: it comes back for another try.")


@pages.page("/now/<int:lead_id>/wrote", methods=("POST",), needs=WRITE)
def wrote(lead_id: int) -> Response | str:
    """Written to, for who left no number."""
    return _logged(lead_id, None, "Written to.", kind=ActivityKind.EMAIL)


@pages.page("/now/<int:lead_id>/snooze", methods=("POST",), needs=WRITE)
def snooze(lead_id: int) -> Response | str:
    """Let it rest for a while."""
    until = resources().clock.now() + SPANS[read(Span)["span"]]
    services().pipeline.snooze(lead_id, until, actor=me().email)
    undo = f"{address(lead_id)}/wake"
    return _done(f"Snoozed until {_plain(until)}.", undo=undo, undo_label="Wake it")


@pages.page("/now/<int:lead_id>/tomorrow", methods=("POST",), needs=WRITE)
def tomorrow(lead_id: int) -> Response | str:
    """A follow-up tomorrow at nine; one that is planned already moves there."""
    due, diary = tomorrow_morning(), services().diary
    waiting = services().action_queue.next_follow_up(lead_id)
    if waiting is None:
        diary.set_follow_up(lead_id, due, actor=me().email)
    else:
        diary.move_follow_up(lead_id, waiting, due, actor=me().email)
    return _done(f"Follow-up {_plain(due)}.")


@pages.page("/now/<int:lead_id>/finish", methods=("POST",), needs=WRITE)
def finish(lead_id: int) -> Response | str:
    """The follow-up that is due is done."""
    waiting = services().action_queue.next_follow_up(lead_id)
    if waiting is None:
        return _done("There is no follow-up any more.")
    services().diary.finish_follow_up(lead_id, waiting, actor=me().email)
    return _done("Follow-up done.")


@pages.page("/now/<int:lead_id>/take", methods=("POST",), needs=WRITE)
def take(lead_id: int) -> Response | str:
    """Make it one's own."""
    services().pipeline.assign(lead_id, me().email, actor=me().email)
    return _done("It is yours.")


def _asked() -> dict[str, Any]:
    if request.method != "GET":
        return {"whose": request.args.get("whose", ""), "lines": FIRST}
    return read_query(Asked)


def _find(whose: str) -> Now:
    scope = Scope(me().email if whose == "mine" else None, whose == "nobody")
    return services().action_queue.find(scope, today=day_begin())


def _logged(
    lead_id: int, outcome: str | None, text: str, *, kind: ActivityKind = ActivityKind.CALL
) -> Response | str:
    method = "phone" if kind is ActivityKind.CALL else None
    told = NewActivity(str(kind), outcome=outcome, method=method)
    changes = services().work.log(lead_id, told, actor=me().email)
    return _done(" ".join([text, *(one.sentence + "." for one in changes[:1])]))


def _done(text: str, **more: Any) -> Response | str:
    """The queue without what was done: at once for a script, else after a redirect."""
    say(text, **more)
    if is_htmx():
        return now()
    whose = request.args.get("whose")
    return go_to("console_now.now", whose=whose or None)


def _line(item: Item) -> Line:
    lead, left = item.lead, item.task.due - resources().clock.now()
    words = wording.span_text(-left).removeprefix("in ").removesuffix(" ago")
    is_late = left.total_seconds() < 0
    about = masking.typed(lead.company) if lead.name else None
    return Line(
        item=item,
        name=masking.label(lead.name, lead.id, lead.company),
        about=", ".join(one for one in (about, lead.stage) if one),
        phone=masking.typed(lead.phone_e164 or lead.phone),
        email=masking.typed(lead.email),
        left="now" if words == "now" else f"{words} {'late' if is_late else 'left'}",
        is_late=is_late,
        is_promise=any(one.cause is Cause.FOLLOW_UP for one in item.task.reasons),
    )


def _plain(at: datetime) -> str:
    return wording.moment(at).striptags()
