"""What a visitor may look at and do: products and calls to action."""

from __future__ import annotations

from typing import Any

from schemas import CallsOut, ProductsOut, SessionQuery
from web.auth import Access
from web.endpoints import Api
from web.unit_of_work import services

api = Api("catalogue", __name__, description="Products and calls to action.")


@api.endpoint(
    "GET",
    "/api/product-menu",
    query=SessionQuery,
    reply=ProductsOut,
    access=Access.WIDGET,
    session="query",
)
def product_menu(query: dict[str, Any]) -> dict[str, Any]:
    """The product menu."""
    return services().catalog.product_menu(query.get("session_id"))


@api.endpoint(
    "GET",
    "/api/cta-options",
    query=SessionQuery,
    reply=CallsOut,
    access=Access.WIDGET,
    session="query",
)
def cta_options(query: dict[str, Any]) -> dict[str, Any]:
    """The calls to action."""
    return services().catalog.cta_options(query.get("session_id"))
