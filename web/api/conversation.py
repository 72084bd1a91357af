"""A visitor's conversation: start, answer, behave, say who one is, read it back."""

from __future__ import annotations

from typing import Any

from flask import request

from engine.vocabulary import every_name
from schemas import (
    AnswerIn,
    AnswerOut,
    BehaviorIn,
    BehaviorOut,
    ProfileIn,
    ProfileOut,
    QuestionsOut,
    ScoreOut,
    SessionQuery,
    StartIn,
    StartOut,
    SummaryOut,
)
from services.lead_service import Visit
from web.auth import Access, may_read_back, reader, visitor_token
from web.endpoints import Api
from web.unit_of_work import Secret, services

api = Api("conversation", __name__, description="A visitor's conversation.")
TOKEN = Secret(
    ("visitor_token",), lambda reply: {"visitor_token": visitor_token(reply["session_id"])}
)


@api.endpoint(
    "POST",
    "/api/session/start",
    body=StartIn,
    reply=StartOut,
    access=Access.WIDGET,
    status=201,
    body_optional=True,
    secret=TOKEN,
)
def start_session(body: dict[str, Any]) -> dict[str, Any]:
    """Start a conversation."""
    consent, before = body.pop("consent", None), body.pop("previous_session", None)
    if before and may_read_back(before, proven=True):
        services().experiment_people.recognise(before, body.get("visitor_id"))
    visit = Visit(**body, user_agent=request.headers.get("User-Agent", "")[:512])
    started = services().leads.start_session(visit, consent=consent)
    return {**started, "visitor_token": visitor_token(started["session_id"])}


@api.endpoint(
    "GET",
    "/api/questions",
    query=SessionQuery,
    reply=QuestionsOut,
    access=Access.WIDGET,
    session="query",
)
def questions(query: dict[str, Any]) -> dict[str, Any]:
    """The questions; with a session, in its order and language."""
    session_id = query.get("session_id")
    named = may_read_back(session_id)
    return {"questions": services().questions.find_questions(session_id, named=named)}


@api.endpoint(
    "POST",
    "/api/answer",
    body=AnswerIn,
    reply=AnswerOut,
    access=Access.WIDGET,
    session="body.session_id",
)
def answer(body: dict[str, Any]) -> dict[str, Any]:
    """Answer a question, change an answer, or skip."""
    kept = services().questions.record_answer(
        body["session_id"],
        body["question_id"],
        body.get("answer_text"),
        time_taken=body.get("time_taken"),
        skip=body["skip"],
        named=may_read_back(body["session_id"]),
    )
    return every_name(kept)


@api.endpoint(
    "POST",
    "/api/behavior",
    body=BehaviorIn,
    reply=BehaviorOut,
    access=Access.WIDGET,
    session="body.session_id",
)
def behavior(body: dict[str, Any]) -> dict[str, Any]:
    """Report what the visitor did."""
    kept = services().scoring.record_behavior(
        body["session_id"], body["action"], body.get("metadata")
    )
    return every_name({**kept, "score": kept["score_change"]})


@api.endpoint(
    "POST",
    "/api/lead/profile",
    body=ProfileIn,
    reply=ProfileOut,
    access=Access.WIDGET,
    session="body.session_id",
)
def profile(body: dict[str, Any]) -> dict[str, Any]:
    """Say who the visitor is."""
    kept = services().leads.record_profile(
        body["session_id"],
        body["profile_data"],
        honeypot=body.get("honeypot"),
        full=may_read_back(body["session_id"]),
    )
    return every_name(kept)


@api.endpoint(
    "GET",
    "/api/lead/summary/<session_id>",
    reply=SummaryOut,
    access=Access.READ,
    session="path",
)
def summary(session_id: str) -> dict[str, Any]:
    """All about a session's lead; bare calls get it masked."""
    return every_name(services().leads.find_summary(session_id, full=reader().full))


@api.endpoint("GET", "/api/score/<session_id>", reply=ScoreOut, access=Access.READ, session="path")
def score(session_id: str) -> dict[str, Any]:
    """A session's score as a readable sum."""
    return every_name(services().scoring.find_score(session_id, full=reader().full))
