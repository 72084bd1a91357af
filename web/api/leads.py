"""The leads as sales works them."""

from __future__ import annotations

from typing import Any

from engine.policy import Permission
from engine.vocabulary import Scope, every_name
from errors import Forbidden, NotFound, unknown_lead
from lib.ids import is_ascii_id
from schemas import (
    ActivityIn,
    ActivityOut,
    DeletedOut,
    FollowUpIn,
    FollowUpOut,
    LeadEditIn,
    LeadIn,
    LeadOut,
    LeadsOut,
    LeadsQuery,
    OutcomeIn,
    OutcomeOut,
)
from services.diary_service import NewActivity
from services.lead_list import Filter
from web.auth import reader
from web.endpoints import Api
from web.unit_of_work import services

api = Api("leads", __name__, description="Leads: list, detail, enter, edit, delete.")


@api.endpoint("GET", "/api/leads", query=LeadsQuery, reply=LeadsOut, access=Scope.LEADS_READ)
def list_leads(query: dict[str, Any]) -> dict[str, Any]:
    """A page of leads."""
    return every_name(services().lead_list.list_leads(Filter(**query)))


@api.endpoint("GET", "/api/leads/<lead_id>", reply=LeadOut, access=Scope.LEADS_READ)
def get_lead(lead_id: str) -> dict[str, Any]:
    """One lead, with everything that happened to it."""
    return every_name(services().book.find_lead(_number(lead_id)))


@api.endpoint(
    "POST", "/api/leads", body=LeadIn, reply=LeadOut, access=Scope.LEADS_WRITE, status=201
)
def enter_lead(body: dict[str, Any]) -> dict[str, Any]:
    """Enter a lead that somebody met elsewhere."""
    _refuse_giving(body)
    return every_name(services().book.enter(body, actor=_actor()))


@api.endpoint(
    "PATCH", "/api/leads/<lead_id>", body=LeadEditIn, reply=LeadOut, access=Scope.LEADS_WRITE
)
def edit_lead(lead_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change some fields of a lead."""
    _refuse_giving(body)
    return every_name(services().book.edit(_number(lead_id), body, actor=_actor()))


@api.endpoint(
    "DELETE",
    "/api/leads/<lead_id>",
    reply=DeletedOut,
    access=Scope.LEADS_WRITE,
    staff=Permission.LEADS_MANAGE,
)
def delete_lead(lead_id: str) -> dict[str, Any]:
    """Delete a lead."""
    return services().book.delete(_number(lead_id), actor=_actor())


@api.endpoint(
    "POST",
    "/api/leads/<lead_id>/activities",
    body=ActivityIn,
    reply=ActivityOut,
    access=Scope.LEADS_WRITE,
    status=201,
)
def log_activity(lead_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Keep a call, an e-mail, a meeting, a note or a signal."""
    told = NewActivity(**body)
    return every_name(services().diary.log_activity(_number(lead_id), told, actor=_actor()))


@api.endpoint(
    "POST",
    "/api/leads/<lead_id>/follow-ups",
    body=FollowUpIn,
    reply=FollowUpOut,
    access=Scope.LEADS_WRITE,
    status=201,
)
def set_follow_up(lead_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Keep when somebody means to turn to a lead again."""
    return every_name(services().diary.set_follow_up(_number(lead_id), **body, actor=_actor()))


@api.endpoint(
    "POST",
    "/api/leads/<lead_id>/follow-ups/<follow_up_id>/done",
    reply=FollowUpOut,
    access=Scope.LEADS_WRITE,
)
def finish_follow_up(lead_id: str, follow_up_id: str) -> dict[str, Any]:
    """A follow-up is done."""
    lead, number = _number(lead_id), is_ascii_id(follow_up_id)
    if number is None:
        raise NotFound("This lead has no such follow-up.", code="unknown_follow_up")
    return every_name(services().diary.finish_follow_up(lead, number, actor=_actor()))


@api.endpoint(
    "POST",
    "/api/leads/<lead_id>/outcome",
    body=OutcomeIn,
    reply=OutcomeOut,
    access=Scope.LEADS_WRITE,
    status=201,
)
def record_outcome(lead_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """How the sale ended: won or lost."""
    return every_name(services().pipeline.record_outcome(_number(lead_id), **body, actor=_actor()))


def _number(lead_id: str) -> int:
    number = is_ascii_id(lead_id)
    if number is None:
        raise unknown_lead()
    return number


def _refuse_giving(body: dict[str, Any]) -> None:
    """Who may not manage leads takes them, and gives them to nobody; a key may do both."""
    person, owner = reader().person, body.get("assigned_to")
    if person is None or person.may(Permission.LEADS_MANAGE) or owner in (None, person.email):
        return
    raise Forbidden("Your role gives leads to yourself or to nobody.", code="not_allowed")


def _actor() -> str:
    return reader().actor
