"""What sales does on a lead's page: log, plan, snooze, move, give away, end and start anew."""

from __future__ import annotations

from flask import Response, request

from engine.policy import Permission
from errors import Forbidden
from web.console import wording
from web.console.frame import Pages, go, is_htmx, me, read
from web.console.lead import address, lead, show_lead
from web.console.lead_forms import (
    ActivityForm,
    FollowUpForm,
    MoveForm,
    OutcomeForm,
    OwnerForm,
    RecycleForm,
    SnoozeForm,
    StageForm,
    new_activity,
    rest_until,
)
from web.console.notes import say
from web.unit_of_work import services

pages = Pages("lead_work", __name__)

WRITE = Permission.LEADS_WRITE


@pages.page("/leads/<int:lead_id>/activities", methods=("POST",), needs=WRITE, again=lead)
def log(lead_id: int) -> Response | str:
    """Keep an activity, score anew, say what that changed."""
    told = new_activity(read(ActivityForm))
    changes = services().work.log(lead_id, told, actor=me().email)
    return _done(lead_id, "Logged.", [one.sentence for one in changes] or ["No score changed."])


@pages.page("/leads/<int:lead_id>/follow-ups", methods=("POST",), needs=WRITE, again=lead)
def plan(lead_id: int) -> Response | str:
    """Set a follow-up."""
    said = read(FollowUpForm)
    services().diary.set_follow_up(lead_id, said["due_at"], note=said["reminder"], actor=me().email)
    return _done(lead_id, "Follow-up set.")


@pages.page("/leads/<int:lead_id>/follow-ups/<int:number>/move", methods=("POST",), needs=WRITE)
def move(lead_id: int, number: int) -> Response | str:
    """Move a follow-up."""
    services().diary.move_follow_up(lead_id, number, read(MoveForm)["due_at"], actor=me().email)
    return _done(lead_id, "Follow-up moved.")


@pages.page("/leads/<int:lead_id>/follow-ups/<int:number>/done", methods=("POST",), needs=WRITE)
def finish(lead_id: int, number: int) -> Response | str:
    """A follow-up is done."""
    services().diary.finish_follow_up(lead_id, number, actor=me().email)
    return _done(lead_id, "Follow-up done.")


@pages.page("/leads/<int:lead_id>/snooze", methods=("POST",), needs=WRITE, again=lead)
def snooze(lead_id: int) -> Response | str:
    """Let the lead rest."""
    until = rest_until(read(SnoozeForm))
    services().pipeline.snooze(lead_id, until, actor=me().email)
    say(
        f"Snoozed until {wording.moment(until).striptags()}.",
        undo=address(lead_id) + "/wake",
        undo_label="Wake it",
    )
    return _done(lead_id, None)


@pages.page("/leads/<int:lead_id>/wake", methods=("POST",), needs=WRITE)
def wake(lead_id: int) -> Response | str:
    """The lead rests no more."""
    services().pipeline.snooze(lead_id, None, actor=me().email)
    return _done(lead_id, "Awake again.")


@pages.page("/leads/<int:lead_id>/owner", methods=("POST",), needs=WRITE)
def give(lead_id: int) -> Response | str:
    """Take the lead, let it go, or give it to somebody else."""
    owner = read(OwnerForm)["owner"]
    if owner not in (None, me().email) and not me().may(Permission.LEADS_MANAGE):
        raise Forbidden("Your role does not allow this.", code="not_allowed")
    services().pipeline.assign(lead_id, owner, actor=me().email)
    return _done(lead_id, f"Given to {owner}." if owner else "It is nobody's now.")


@pages.page("/leads/<int:lead_id>/stage", methods=("POST",), needs=WRITE)
def stage(lead_id: int) -> Response | str:
    """Move the lead to a stage."""
    name = read(StageForm)["stage"]
    services().pipeline.set_stage(lead_id, name, actor=me().email)
    return _done(lead_id, f"Moved to {name}.")


@pages.page("/leads/<int:lead_id>/outcome", methods=("POST",), needs=WRITE, again=lead)
def end(lead_id: int) -> Response | str:
    """Deal or Reject."""
    said = read(OutcomeForm)
    services().pipeline.record_outcome(
        lead_id, said["outcome"], value=said["value"], actor=me().email
    )
    return _done(lead_id, "A deal, well done." if said["outcome"] == "won" else "Rejected.")


@pages.page("/leads/<int:lead_id>/recycle", methods=("POST",), needs=WRITE, again=lead)
def recycle(lead_id: int) -> Response | str:
    """Start anew in another campaign."""
    campaign = read(RecycleForm)["campaign"]
    services().pipeline.recycle(lead_id, campaign, actor=me().email)
    return _done(lead_id, f"Starts anew in {campaign}.")


def _done(lead_id: int, text: str | None, changed: list[str] | None = None) -> Response | str:
    """The page again: for a script at once, else after a redirect with the words in a note."""
    if is_htmx():
        if text:
            say(text)
        return show_lead(lead_id, changed)
    if text:
        say(" ".join([text, *(changed or [])]))
    more = {"from": "now"} if request.args.get("from") == "now" else {}
    return go(address(lead_id, **more))
