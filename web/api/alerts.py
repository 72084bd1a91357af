"""Who hears of a lead, and by which rules."""

from __future__ import annotations

from typing import Any

from engine.policy import Permission
from engine.vocabulary import Scope, grants
from schemas import (
    AlertsConfigIn,
    AlertsConfigOut,
    DeletedOut,
    DestinationChangeIn,
    DestinationIn,
    DestinationOut,
    DestinationsOut,
    TestOut,
)
from services import unit_of_work
from services.destination_service import Who, checked_address
from web.auth import reader
from web.endpoints import Api
from web.unit_of_work import Secret, resources, services

api = Api("alerts", __name__, description="Alerts: rules and destinations.")

READ, WRITE = Scope.ALERTS_READ, Scope.ALERTS_WRITE
CONFIG, DESTINATIONS, ONE = (
    "/api/alerts/config",
    "/api/destinations",
    "/api/destinations/<destination_id>",
)
# A webhook's secret is shown once: a stored reply has none.
SECRET = Secret(("secret",))


def _check_address(body: dict[str, Any], destination_id: str | None = None) -> None:
    """Judge an address while no transaction is open, for that asks the name's server."""
    if "address" not in body:
        return
    channel = body.get("channel")
    if destination_id is not None:
        with unit_of_work(resources(), read_only=True) as ours:
            channel = ours.destinations.get(destination_id)["channel"]
    body["address"] = checked_address(resources(), channel, body["address"], who=who())


@api.endpoint("GET", CONFIG, reply=AlertsConfigOut, access=READ)
def get_config() -> dict[str, Any]:
    """The configuration of alerts."""
    return services().destinations.config()


@api.endpoint("POST", CONFIG, body=AlertsConfigIn, reply=AlertsConfigOut, access=WRITE)
def change_config(body: dict[str, Any]) -> dict[str, Any]:
    """Change some fields of the configuration of alerts."""
    return services().destinations.change_config(body, who=who())


@api.endpoint("GET", DESTINATIONS, reply=DestinationsOut, access=READ)
def list_destinations() -> dict[str, Any]:
    """Every destination."""
    return services().destinations.list_all()


@api.endpoint(
    "POST",
    DESTINATIONS,
    body=DestinationIn,
    reply=DestinationOut,
    access=WRITE,
    status=201,
    secret=SECRET,
    before=_check_address,
)
def add_destination(body: dict[str, Any]) -> dict[str, Any]:
    """Add a destination; the secret of a webhook is shown this once."""
    return services().destinations.add(body, who=who())


@api.endpoint("GET", ONE, reply=DestinationOut, access=READ)
def get_destination(destination_id: str) -> dict[str, Any]:
    """One destination."""
    return services().destinations.get(destination_id)


@api.endpoint(
    "PATCH",
    ONE,
    body=DestinationChangeIn,
    reply=DestinationOut,
    access=WRITE,
    before=_check_address,
)
def change_destination(destination_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change some fields of a destination; switching it on sends what was held."""
    return services().destinations.change(destination_id, body, who=who())


@api.endpoint("DELETE", ONE, reply=DeletedOut, access=WRITE)
def remove_destination(destination_id: str) -> dict[str, Any]:
    """Take a destination away; its log stays."""
    return services().destinations.remove(destination_id, who=who())


@api.endpoint("POST", f"{ONE}/test", reply=TestOut, access=WRITE, status=202)
def test_destination(destination_id: str) -> dict[str, Any]:
    """Send a test message."""
    return services().destinations.test(destination_id, who=who())


def who() -> Who:
    """The caller as the audit names it."""
    asking = reader()
    is_operator = asking.key is not None and grants(asking.key.scopes, Scope.ADMIN)
    is_admin = asking.person is not None and asking.person.may(Permission.ADMIN)
    return Who(asking.actor, is_operator=is_operator or is_admin)
