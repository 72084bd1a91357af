"""What tests of experiments do again and again: write one down, run it, fill it, read it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from models import Assignment, Conversion, Exposure
from tests.api.conftest import Caller

GREETING: dict[str, Any] = {
    "name": "hello",
    "kind": "greeting",
    "arms": [
        {"arm": "A", "weight": 0.5, "config": {}},
        {"arm": "B", "weight": 0.5, "config": {"greeting": "Grow your shop with us!"}},
    ],
    "metric": "demo_request",
}


def create(api: Caller, **changes: Any) -> dict[str, Any]:
    """What the API says of a new experiment."""
    reply = api.staff("POST", "/api/experiments", {**GREETING, **changes})
    assert reply.status_code == 201, reply.text
    said: dict[str, Any] = reply.json
    return said


def do(api: Caller, step: str, name: str = "hello", **body: Any) -> dict[str, Any]:
    """What it says after a step."""
    reply = api.staff("POST", f"/api/experiments/{name}/{step}", body or None)
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = reply.json
    return said


def run(api: Caller, **changes: Any) -> dict[str, Any]:
    """A new experiment that runs."""
    made = create(api, **changes)
    return do(api, "start", made["name"])


def patch(api: Caller, at: str = "hello", **body: Any) -> Any:
    """The reply to an edit."""
    return api.staff("PATCH", f"/api/experiments/{at}", body)


def results(api: Caller, name: str = "hello", **query: Any) -> dict[str, Any]:
    """What came of it."""
    reply = api.staff("GET", f"/api/experiments/{name}/results", **query)
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = reply.json
    return said


def start(api: Caller, **body: Any) -> dict[str, Any]:
    """A new conversation."""
    reply = api.post("/api/session/start", body)
    assert reply.status_code == 201, reply.text
    said: dict[str, Any] = reply.json
    return said


def fill(
    caller: Caller,
    rates: dict[str, float],
    each: int,
    *,
    days: float = 3,
    metric: str = "demo_request",
    epoch: int = 1,
) -> None:
    """Exposures of some days ago, evenly over three days, and their conversions an hour later."""
    now = caller.clock.now()
    start = now - timedelta(days=days)
    with caller.unit() as services:
        exposures, conversions, assignments = [], [], []
        for arm, rate in rates.items():
            converted = round(each * rate)
            for number in range(each):
                unit, at = f"{arm}{number}.{epoch}.{days}", start + timedelta(
                    seconds=60 * (number % 1440)
                )
                row = {"experiment": "hello", "unit": unit, "arm": arm, "epoch": epoch}
                assignments.append(
                    {**row, "propensity": 0.5, "workflow_version": 1, "assigned_at": at}
                )
                exposures.append({**row, "session_id": "none", "exposed_at": at})
                if number % each < converted:
                    conversions.append(
                        {
                            **row,
                            "session_id": "none",
                            "metric": metric,
                            "value": 100.0,
                            "exposed_at": at,
                            "converted_at": at + timedelta(hours=1),
                        }
                    )
        services.session.execute(Assignment.__table__.insert(), assignments)
        services.session.execute(Exposure.__table__.insert(), exposures)
        if conversions:
            services.session.execute(Conversion.__table__.insert(), conversions)
