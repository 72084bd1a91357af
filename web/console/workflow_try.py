"""A draft before it is published: seen in the real widget, tried on the past, compared."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response, current_app, make_response, request
from marshmallow import fields, validate

import errors
from engine.policy import Permission
from engine.workflow_words import ACTIONS
from schemas import AnswerIn, BehaviorIn, ProfileIn
from services.workflow_drafts import Draft
from services.workflow_preview import MOST_CALLS, PreviewCall
from services.workflow_trial import AT_ONCE, DAYS, KIND, MOST, is_upwards
from web.body import invalid, read_json
from web.console.frame import POLICY, Pages, go_to, me, read, read_query, show
from web.console.workflow import NoteForm, find_job
from web.console.notes import say
from web.console.typed import form_of, whole
from web.console.workflow_typed import as_typed
from web.console.workflow_view import grouped, show_draft
from web.unit_of_work import services

pages = Pages("workflow_try", __name__)

READ, WRITE = Permission.WORKFLOW_READ, Permission.WORKFLOW_WRITE
DRAFT = "/workflow/drafts/<int:draft_id>"
LARGEST_TALK = 256 * 1024
SHAPES = {"answer": AnswerIn, "behavior": BehaviorIn, "lead/profile": ProfileIn}


class FrameQuery(marshmallow.Schema):
    """In which language, with which variants of the draft's own experiments."""

    locale = fields.String(load_default="", validate=validate.Length(max=35))
    arms = fields.String(load_default="", validate=validate.Length(max=1000))


class TryQuery(marshmallow.Schema):
    """Which past, and the job that tried it."""

    days = fields.Integer(load_default=DAYS[0], validate=validate.OneOf(DAYS))
    job = fields.String(validate=validate.Length(max=32))


class TryForm(marshmallow.Schema):
    """Which past is to be tried."""

    days = fields.Integer(required=True, validate=validate.OneOf(DAYS))


# The preview


@pages.page(f"{DRAFT}/preview", needs=READ)
def preview(draft_id: int) -> Response:
    """The real widget on the draft, for a frame on the editor's page."""
    query = read_query(FrameQuery)
    draft = services().workflow_drafts.get(draft_id)
    reply = make_response(show("workflow/preview.html", draft=draft, **query))
    # A page of ours may frame it, nobody else.
    policy = POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    reply.headers["Content-Security-Policy"] = policy
    reply.headers["X-Frame-Options"] = "SAMEORIGIN"
    return reply


@pages.page(f"{DRAFT}/preview/talk", methods=("POST",), needs=READ, largest=LARGEST_TALK)
def talk(draft_id: int) -> Response:
    """The reply to the last of the widget's calls; it changes nothing, so nothing is audited."""
    body = read_json(largest=LARGEST_TALK)
    calls, arms, locale = body.get("calls"), body.get("arms"), body.get("locale")
    if not isinstance(calls, list) or len(calls) > MOST_CALLS:
        raise errors.Invalid("A preview is a list of calls; begin it again.")
    ours = services()
    reply = ours.workflow_preview.play(
        _seen(ours.workflow_drafts.get(draft_id), body.get("typed")),
        [_call(one) for one in calls],
        arms=arms if isinstance(arms, str) else "",
        locale=locale if isinstance(locale, str) else "",
    )
    said = make_response(current_app.json.dumps(reply.body), reply.status)
    said.mimetype = "application/json"
    return said


# The past


@pages.page(f"{DRAFT}/try", needs=READ)
def try_on_past(draft_id: int) -> str:
    """What the draft's points would have made of past conversations."""
    query, ours = read_query(TryQuery), services()
    draft = ours.workflow_drafts.get(draft_id)
    scope = ours.workflow_trial.scope(query["days"])
    job = find_job(query.get("job"), KIND)
    found: dict[str, Any] | None = None
    if job is not None:
        found = job["result"] if job["status"] == "done" else None
    elif not draft.problems and scope.found <= AT_ONCE:
        found = ours.workflow_trial.try_at_once(draft_id, query["days"])
    return show_draft(
        "try.html",
        draft,
        "try",
        scope=scope,
        days=DAYS,
        most=MOST,
        job=job,
        result=found and _result(found),
        actions=ACTIONS,
    )


@pages.page(f"{DRAFT}/try", methods=("POST",), needs=WRITE)
def begin_trial(draft_id: int) -> Response:
    """The same in the background, where there are many conversations."""
    days, ours, actor = read(TryForm)["days"], services(), me().email
    draft = ours.workflow_drafts.get(draft_id)
    since = ours.workflow_trial.scope(days).since.isoformat()
    payload = {"draft": draft_id, "revision": draft.revision, "since": since}
    job = ours.jobs.request(KIND, requested_by=actor, payload=payload)["job_id"]
    ours.accounts.audit(actor, "workflow.tried", f"draft {draft_id}", {"days": days})
    return go_to("console_workflow_try.try_on_past", draft_id=draft_id, days=days, job=job)


# Publishing


@pages.page(f"{DRAFT}/publish", needs=READ)
def look_before(draft_id: int) -> str:
    """What would change, before it does."""
    drafts = services().workflow_drafts
    draft = drafts.get(draft_id)
    number, changes = drafts.differences(draft)
    return show_draft(
        "publish.html",
        draft,
        "publish",
        in_force=number,
        changes=grouped(changes),
        all_wrong=draft.problems,
        note=request.form.get("note", ""),
    )


@pages.page(f"{DRAFT}/publish", methods=("POST",), needs=WRITE, again=look_before)
def publish(draft_id: int) -> Response:
    """The draft, in force from now on."""
    note, revision = read(NoteForm)["note"], whole("revision")
    ours = services()
    version = ours.workflow_drafts.publish(draft_id, note, revision=revision, actor=me().email)
    say(f"Version {version} is in force. Who is talking now goes on with the version before.")
    return go_to("console_workflow.versions")


def _seen(draft: Draft, said: Any) -> Draft:
    """The draft with what is typed beside the preview and not saved yet."""
    if not isinstance(said, dict):
        return draft
    part, form = said.get("part"), said.get("form")
    if not isinstance(part, str) or not isinstance(form, str):
        raise errors.Invalid("A preview shows the form beside it; load the page again.")
    with form_of(form):
        return as_typed(draft, part)


def _call(one: Any) -> PreviewCall:
    """A call of the widget, its body read by the shape of the real endpoint."""
    if not isinstance(one, dict) or not isinstance(one.get("name"), str):
        raise errors.Invalid("A preview is a list of calls; begin it again.")
    name, body = one["name"], one.get("body")
    body = body if isinstance(body, dict) else {}
    shape = SHAPES.get(name)
    if shape is None:
        return PreviewCall(name, {key: body[key] for key in ("session_id",) if key in body})
    try:
        return PreviewCall(name, shape(unknown=marshmallow.EXCLUDE).load(body))
    except marshmallow.ValidationError as error:
        raise invalid(error) from None


def _result(found: dict[str, Any]) -> dict[str, Any]:
    """A result as the page shows it: the directions, the most frequent first."""
    moves = sorted(found["moves"].items(), key=lambda one: -one[1])
    shown = [(*move.split(">"), count, is_upwards(move)) for move, count in moves]
    return {**found, "moves": shown, "changed": sum(found["moves"].values())}
