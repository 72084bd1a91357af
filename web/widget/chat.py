"""The whole conversation as plain HTML pages, complete without any script; here to its questions.

It stays as what is shown where the widget cannot run; where it can, it takes these pages over. A
GET shows a step, a POST changes one thing and redirects; where a step stands is read from what the
services keep, never from the page.
"""

from __future__ import annotations

import functools
from typing import Any

from flask import Blueprint, Response, make_response, redirect, request
from flask.typing import ResponseReturnValue

from engine.vocabulary import Action, QuestionType
from errors import NotFound
from lib.text import strip_controls
from web.unit_of_work import perform, services
from web.widget import after_questions
from web.widget import talk as steps
from web.widget.cookie import Draft, Visitor, set_cookie
from web.widget.pages import file, kindly, limit_size, page
from web.widget.talk import Line, Talk, question_address, read_talk
from web.widget.turns import (
    MOST_VALUES,
    Turn,
    goes_to_summary,
    keep_consent,
    sent,
    shown,
    still_at,
    text_of,
    to,
    typed,
    visit_now,
    visitor_now,
)

pages = Blueprint("chat", __name__, template_folder="templates")
pages.before_request(limit_size)
pages.after_request(kindly)
pages.add_url_rule("/assets/chat/<name>", "file", file)
pages.register_blueprint(after_questions.pages)


# Greeting and consent


@pages.get("/chat", strict_slashes=False)
def chat() -> ResponseReturnValue:
    """The beginning of a conversation, or the step where the visitor left off."""
    if request.method == "HEAD":
        return Response(mimetype="text/html")
    visitor = visitor_now()
    if visitor is not None:
        try:
            return perform(functools.partial(_resumed, visitor), writes=False)
        except NotFound:
            pass  # The lead was deleted since: quietly anew.
    return perform(_started, writes=True)


@pages.get("/chat/greeting")
@shown
def greeting(talk: Talk, draft: Draft) -> str:
    """The first words and their quick replies."""
    return page("greeting", talk, draft)


@pages.post("/chat/greeting")
@sent
def reply_to_greeting(talk: Talk) -> Turn:
    """The visitor goes on, or not now."""
    _note_honeypot(talk)
    reply = text_of("reply")
    if reply in talk.replies:
        services().scoring.record_behavior(talk.held.id, Action.REPLIED_TO_GREETING)
        # The first reply is the one that goes on; any other asks for time.
        if reply != talk.replies[0]:
            return Turn(steps.GREETING, Draft(notice="no_hurry"))
    return Turn(talk.after(steps.GREETING))


@pages.get("/chat/consent")
@shown
def consent(talk: Talk, draft: Draft) -> str:
    """What the visitor is asked to agree to, before anything personal."""
    return page("consent", talk, draft)


@pages.post("/chat/consent")
@sent
def agree(talk: Talk) -> Turn:
    """The visitor agrees, or goes on without."""
    if text_of("agree") == "yes":
        keep_consent(talk, given=True)
    return Turn(talk.after(steps.CONSENT))


# Questions


@pages.get("/chat/questions/<slug>")
@shown
def question(talk: Talk, draft: Draft, slug: str) -> str | Response:
    """One question, with what was answered before."""
    line = talk.line(slug)
    if line is None:
        return to("/chat")
    return page("question", talk, draft, line=line, **_place(talk, line))


@pages.post("/chat/questions/<slug>")
@sent
def answer(talk: Talk, slug: str) -> Turn:
    """The answer to one question, or a skip; what cannot be taken is asked again."""
    address = question_address(slug)
    asked = talk.held.workflow.find_question(slug)
    if asked is None:
        return Turn("/chat")
    skip = "skip" in request.form
    kept = services().questions.record_answer(
        talk.held.id, asked.id, None if skip else _answer_to(asked.type), skip=skip
    )
    if not kept["accepted"]:
        reask = kept["reask"]
        messages = {"answer": reask["message"]}
        draft = Draft(address, "", typed(), messages, reask["suggestions"])
        return Turn(still_at(address), draft)
    following = kept["next_question"]
    if following is not None and following["id"] == asked.id:
        return Turn(address)  # It was a reply to the greeting, and the question stands.
    # Read again: this answer may have opened a question, or hidden one.
    return Turn(steps.SUMMARY if goes_to_summary() else read_talk(talk.held.id).after(address))


@pages.get("/chat/<path:other>")
def elsewhere(other: str) -> ResponseReturnValue:
    """No step of ours: back to the conversation."""
    return redirect("/chat")


# What questions need


def _answer_to(kind: QuestionType) -> str | list[str]:
    picked = text_of("pick")
    if kind is not QuestionType.MULTI_CHOICE:
        return picked or text_of("answer")
    given = [picked] if picked else request.form.getlist("answer")[:MOST_VALUES]
    return [strip_controls(one).strip() for one in given]


def _note_honeypot(talk: Talk) -> None:
    trap = text_of("website")
    if trap:
        services().leads.record_profile(talk.held.id, {}, honeypot=trap)


def _resumed(visitor: Visitor) -> Response:
    talk = read_talk(visitor.session_id)
    address = talk.resume()
    if address != steps.GREETING:
        return to(address)
    return make_response(page("greeting", talk, visitor.draft))


def _started() -> Response:
    started = services().leads.start_session(visit_now(None))
    reply = make_response(page("greeting", read_talk(started["session_id"]), Draft()))
    set_cookie(reply, started["session_id"])
    return reply


def _place(talk: Talk, line: Line) -> dict[str, Any]:
    """Where a question stands, and the exchanges before it."""
    number = talk.lines.index(line) + 1
    said = [one for one in talk.lines[: number - 1] if not one.is_open]
    return {
        "number": number,
        "total": len(talk.lines),
        "said": said,
        "then": "summary" if request.args.get("then") == "summary" else "",
    }
