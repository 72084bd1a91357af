"""The leads as sales works them."""

from __future__ import annotations

from typing import Any

from engine.vocabulary import Scope, every_name
from errors import unknown_lead
from lib.ids import is_ascii_id
from schemas import DeletedOut, LeadIn, LeadOut, LeadsOut, LeadsQuery
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
    return every_name(services().book.enter(body, actor=_actor()))


@api.endpoint("PATCH", "/api/leads/<lead_id>", body=LeadIn, reply=LeadOut, access=Scope.LEADS_WRITE)
def edit_lead(lead_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change some fields of a lead."""
    return every_name(services().book.edit(_number(lead_id), body, actor=_actor()))


@api.endpoint("DELETE", "/api/leads/<lead_id>", reply=DeletedOut, access=Scope.LEADS_WRITE)
def delete_lead(lead_id: str) -> dict[str, Any]:
    """Delete a lead."""
    return services().book.delete(_number(lead_id), actor=_actor())


def _number(lead_id: str) -> int:
    number = is_ascii_id(lead_id)
    if number is None:
        raise unknown_lead()
    return number


def _actor() -> str:
    holder = reader().key
    return f"key {holder.name}" if holder else "loopback"
