"""A/B tests as a client sees them: a variant, a conversion."""

from __future__ import annotations

from typing import Any

from schemas import ConversionIn, ConversionOut, VariantIn, VariantOut
from web.auth import Access
from web.endpoints import Api
from web.unit_of_work import services

api = Api("ab-tests", __name__, description="A/B tests.")


@api.endpoint(
    "POST",
    "/api/ab-test/variant/<test_name>",
    body=VariantIn,
    reply=VariantOut,
    access=Access.WIDGET,
    session="body.session_id",
)
def variant(test_name: str, body: dict[str, Any]) -> dict[str, Any]:
    """The session's variant of a test, the same for ever."""
    return services().experiments.find_variant(test_name, body["session_id"])


@api.endpoint(
    "POST",
    "/api/ab-test/conversion",
    body=ConversionIn,
    reply=ConversionOut,
    access=Access.WIDGET,
    session="body.session_id",
)
def conversion(body: dict[str, Any]) -> dict[str, Any]:
    """Count a goal that was reached, once."""
    return services().experiments.record_conversion(
        body["session_id"],
        body["test_name"],
        body["conversion_type"],
        body.get("value"),
        claimed=body.get("variant"),
    )
