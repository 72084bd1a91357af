"""Leads in, by the file."""

from __future__ import annotations

from typing import Any

from flask import Response

from engine.vocabulary import Scope
from schemas import ImportIn, JobAcceptedOut
from web.api.jobs import accepted
from web.auth import reader
from web.endpoints import Api
from web.unit_of_work import services

api = Api("imports", __name__, description="Leads in, by the file.")

LARGEST_FILE = 50 * 1024 * 1024


@api.endpoint(
    "POST",
    "/api/imports",
    form=ImportIn,
    reply=JobAcceptedOut,
    access=Scope.IMPORTS_WRITE,
    status=202,
    max_body=LARGEST_FILE,
)
def begin_import(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Import a file of leads in the background."""
    by = reader().actor
    return accepted(services().imports.begin(**body, actor=by))


@api.endpoint(
    "GET",
    "/api/imports/<import_id>/errors",
    access=Scope.IMPORTS_WRITE,
    content_type="text/csv",
)
def list_rejections(import_id: str) -> Response:
    """The rows that were left out, and why."""
    headers = {"Content-Disposition": 'attachment; filename="rejected.csv"'}
    text = services().imports.rejections(import_id)
    return Response(text, content_type="text/csv; charset=utf-8", headers=headers)
