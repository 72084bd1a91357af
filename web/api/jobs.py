"""Work that goes on in the background."""

from __future__ import annotations

from typing import Any

from engine.policy import Permission
from engine.vocabulary import Scope
from schemas import JobAcceptedOut, JobOut
from web.auth import Access, reader
from web.endpoints import Api
from web.unit_of_work import services

api = Api("jobs", __name__, description="Work in the background.")


@api.endpoint(
    "POST",
    "/api/leads/refresh",
    reply=JobAcceptedOut,
    access=Scope.LEADS_WRITE,
    staff=Permission.WORKFLOW_WRITE,
    status=202,
)
def refresh_leads() -> tuple[dict[str, Any], dict[str, str]]:
    """Re-score all leads under the version in force, in the background."""
    by = reader().actor
    return accepted(services().jobs.request("leads.refresh", requested_by=by))


@api.endpoint("GET", "/api/jobs/<job_id>", reply=JobOut, access=Access.KNOWN)
def get_job(job_id: str) -> dict[str, Any]:
    """How far a piece of work is; needs the scope of its kind, which the key that began it has."""
    return services().jobs.watch(job_id, reader())


def accepted(job: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The reply that work was taken on, and where to watch it."""
    return job, {"Location": f"/api/jobs/{job['job_id']}"}
