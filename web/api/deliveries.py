"""What was sent where, and a second try by hand."""

from __future__ import annotations

from typing import Any

from engine.vocabulary import Scope
from errors import invalid_field
from lib.ids import is_ascii_id
from schemas import DeliveriesOut, DeliveriesQuery, DeliveryOut
from services.delivery_log import DeliveryFilter
from web.auth import reader
from web.endpoints import Api
from web.unit_of_work import services

api = Api("deliveries", __name__, description="Deliveries: log, attempts, send again.")


@api.endpoint(
    "GET",
    "/api/deliveries",
    query=DeliveriesQuery,
    reply=DeliveriesOut,
    access=Scope.ALERTS_READ,
)
def list_deliveries(query: dict[str, Any]) -> dict[str, Any]:
    """A page of deliveries, the newest first."""
    lead = query.pop("lead", None)
    number = None if lead is None else is_ascii_id(lead)
    if lead is not None and number is None:
        raise invalid_field("lead", "A lead is named by its id.")
    return services().deliveries.list_deliveries(DeliveryFilter(lead=number, **query))


@api.endpoint("GET", "/api/deliveries/<delivery_id>", reply=DeliveryOut, access=Scope.ALERTS_READ)
def get_delivery(delivery_id: str) -> dict[str, Any]:
    """One delivery with every attempt."""
    return services().deliveries.get(delivery_id)


@api.endpoint(
    "POST",
    "/api/deliveries/<delivery_id>/resend",
    reply=DeliveryOut,
    access=Scope.ALERTS_WRITE,
)
def resend(delivery_id: str) -> dict[str, Any]:
    """Send a delivery again, under the same id."""
    return services().deliveries.resend(delivery_id, actor=reader().actor)
