"""What a visitor may look at and do: products, calls to action, and how the widget shows them."""

from __future__ import annotations

from typing import Any

from schemas import CallsOut, ProductsOut, SessionQuery, WidgetOut, WidgetQuery
from web.auth import Access, may_read_back
from web.endpoints import Api
from web.unit_of_work import services

# Every page of a site asks for it; it changes with the workflow, which no visitor waits for.
SHARED = {"Cache-Control": "public, max-age=300"}

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
    session_id = query.get("session_id")
    return services().catalog.product_menu(session_id, named=may_read_back(session_id))


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
    session_id = query.get("session_id")
    return services().catalog.cta_options(session_id, named=may_read_back(session_id))


@api.endpoint(
    "GET",
    "/api/widget/config",
    query=WidgetQuery,
    reply=WidgetOut,
    access=Access.WIDGET,
    session="query",
)
def widget_config(query: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """How the widget presents itself; with a session, all that it shows of it."""
    session_id = query.get("session_id")
    named = may_read_back(session_id)
    shown = services().widget.config(session_id, query.get("locale"), named=named)
    return shown, {} if session_id else SHARED
