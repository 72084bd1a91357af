"""One lead in the shape another program reads."""

from __future__ import annotations

from typing import Any

from flask import Response

from engine.vocabulary import Scope
from schemas import ExportQuery
from web.endpoints import Api
from web.unit_of_work import services

api = Api("export", __name__, description="Leads for other programs.")


@api.endpoint(
    "GET",
    "/api/lead/export/<session_id>",
    query=ExportQuery,
    access=Scope.LEADS_EXPORT,
    session="path",
)
def export(session_id: str, query: dict[str, Any]) -> Response | dict[str, Any]:
    """The CRM record of a session's lead, as JSON, CSV or vCard."""
    if query["format"] == "csv":
        return _file(services().exports.as_csv(session_id), "text/csv", "lead.csv")
    if query["format"] == "vcard":
        return _file(services().exports.as_vcard(session_id), "text/vcard", "lead.vcf")
    return services().exports.crm_record(session_id)


def _file(text: str, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, content_type=f"{kind}; charset=utf-8", headers=headers)
