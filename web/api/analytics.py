"""Counts and rates over conversations."""

from __future__ import annotations

from typing import Any

from engine.vocabulary import Scope
from schemas import AnalyticsOut, AnalyticsQuery
from services.analytics_service import Window
from web.endpoints import Api
from web.unit_of_work import services

api = Api("analytics", __name__, description="Counts and rates.")


@api.endpoint(
    "GET",
    "/api/analytics/leads",
    query=AnalyticsQuery,
    reply=AnalyticsOut,
    access=Scope.ANALYTICS_READ,
)
def leads(query: dict[str, Any]) -> dict[str, Any]:
    """How many leads, how good they are, and where visitors left."""
    return services().analytics.leads(Window(**query))
